# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -e "data='FILE'; out='FILE.svg'" chart.gp
# A bar for each load: how much less (left, green) or more (right, red) than
# with framing in user space everything takes. Marks for the other ways.
set datafile separator '\t'
set datafile missing '?'
set encoding utf8
stats data using 2 nooutput
n = STATS_records
set terminal svg size 960, 150 + 24 * n font 'sans,13' background '#ffffff'
set output out
set title "For which messages is the kernel ahead of framing in user space?" offset -10 font ',17'
set yrange [n - 0.4:-1.6]
set xrange [-2.1:4.4]
set xtics ('1/4' -2, '1/2' -1, 'as user space' 0, '2 ×' 1, '4 ×' 2, '8 ×' 3, '16 ×' 4)
set xlabel "time a message, of client, server and kernel (* not fair in instructions: many bytes)"
set grid xtics lc rgb '#dddddd'
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 2 lc rgb '#444444' front
set label 1 'the kernel is ahead' at -1.05, -1 center tc rgb '#1a7f37' font ',14'
set label 2 'user space is ahead' at 2, -1 center tc rgb '#b42318' font ',14'
set ytics scale 0
set lmargin 36
set border 1
set key at graph 0.99, graph 0.86 right top Left reverse samplen 1 box lc rgb '#dddddd' opaque
bar(r) = log(r) / log(2)
colour(r) = r < 1 / 1.02 ? 0x1a7f37 : r > 1.02 ? 0xd6453d : 0x8c959f
left(r) = bar(r) < 0 ? bar(r) : 0
right(r) = bar(r) < 0 ? 0 : bar(r)
plot data using (0):0:(left($2)):(right($2)):($0 - 0.33):($0 + 0.33):(colour($2)) with boxxyerror fs solid noborder lc rgb variable title 'records (sendfile, zerocopy, idle: the kernel)', \
	'' using (0):0:ytic(sprintf('%s   %.2f', strcol(1), $2)) with points pt -1 notitle, \
	'' using (bar($4)):0 with points pt 7 ps 0.6 lc rgb '#333333' title 'a message a call', \
	'' using (bar($5)):0 with points pt 9 ps 0.8 lc rgb '#7a4fc0' title 'batch', \
	'' using (bar($6)):0 with points pt 2 ps 0.7 lc rgb '#0969da' title 'no framing: the floor'
