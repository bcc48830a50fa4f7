# SPDX-License-Identifier: GPL-2.0-only
#
# The samples of a soak as an SVG picture, a panel for each kind of memory, and
# their slope after the warm-up, fitted by least squares. Fails when something
# grows faster than "limit", in KiB a minute. Free memory comes and goes by
# lists of pages for each processor: it may fall 16 times as fast.
# Usage: awk -v svg=FILE -v limit=KIB -f plot.awk CSV

BEGIN {
	FS = ","
	split("kernel memory in use (MiB)|slab (MiB)|kmalloc caches (MiB)|sockets",
	      title, "|")
	panels = 4
}

NR > 1 {
	n++
	t[n] = $1
	v[1, n] = -$2 / 1024
	v[2, n] = $3 / 1024
	v[3, n] = $4 / 1024
	v[4, n] = $5
	attached = $7
}

# Slope of panel p from sample "from" on, a minute.
function slope(p, from,    i, m, st, sv, stt, stv) {
	for (i = from; i <= n; i++) {
		m++
		st += t[i]
		sv += v[p, i]
		stt += t[i] * t[i]
		stv += t[i] * v[p, i]
	}
	if (m < 3 || m * stt == st * st)
		return 0
	return 60 * (m * stv - st * sv) / (m * stt - st * st)
}

function panel(p, top, rate,    i, low, high, x, y, points) {
	low = high = v[p, 1]
	for (i = 2; i <= n; i++) {
		if (v[p, i] < low)
			low = v[p, i]
		if (v[p, i] > high)
			high = v[p, i]
	}
	if (high == low)
		high = low + 1
	for (i = 1; i <= n; i++) {
		x = 70 + 700 * t[i] / t[n]
		y = top + 120 - 100 * (v[p, i] - low) / (high - low)
		points = points sprintf("%.1f,%.1f ", x, y)
	}
	printf "<text x=\"70\" y=\"%d\">%s, %+.3f a minute</text>\n",
		top + 12, title[p], rate >svg
	printf "<rect x=\"70\" y=\"%d\" width=\"700\" height=\"100\" " \
		"fill=\"none\" stroke=\"#bbb\"/>\n", top + 20 >svg
	printf "<text x=\"64\" y=\"%d\" text-anchor=\"end\">%.1f</text>\n",
		top + 28, high >svg
	printf "<text x=\"64\" y=\"%d\" text-anchor=\"end\">%.1f</text>\n",
		top + 120, low >svg
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"#05a\"/>\n",
		points >svg
}

END {
	if (n < 10 || attached < 10) {
		print "not enough samples: " n + 0 ", connections: " attached + 0
		exit 1
	}
	# What is in use is what is not free: from 0 at the first sample.
	first = v[1, 1]
	for (i = 1; i <= n; i++)
		v[1, i] -= first
	# The first third is for caches that fill and pages that are touched.
	from = int(n / 3) + 1
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" " \
		"height=\"640\" font-family=\"sans-serif\" font-size=\"12\">\n" \
		"<rect width=\"800\" height=\"640\" fill=\"#fff\"/>\n" >svg
	for (p = 1; p <= panels; p++) {
		rate[p] = slope(p, from)
		panel(p, p * 150 - 140, rate[p])
	}
	printf "<text x=\"770\" y=\"630\" text-anchor=\"end\">%d seconds, " \
		"%d connections</text>\n</svg>\n", t[n], attached >svg
	printf "%d seconds, %d connections; a minute: in use %+.0f KiB, " \
		"slab %+.0f KiB, kmalloc %+.0f KiB (at most %d, %d, %d)\n",
		t[n], attached, rate[1] * 1024, rate[2] * 1024,
		rate[3] * 1024, limit * 16, limit, limit
	for (p = 1; p <= 3; p++)
		if (rate[p] * 1024 > (p == 1 ? limit * 16 : limit))
			bad = 1
	exit bad
}
