# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -e "data='FILE'; out='FILE.svg'" chart.gp
# A bar for each load and form of kws: how much longer (right, red) or shorter
# (left, green) everything takes than with framing in user space.
set datafile separator '\t'
stats data using 3 nooutput
n = STATS_records
set terminal svg size 960, 60 + 17 * n font 'sans,12' background '#ffffff'
set output out
set title 'Time a message, against the fastest framing in user space' offset -14 font ',15'
set key off
set yrange [n - 0.3:-1.4]
set xrange [-3.2:4.6]
set xtics ('1/8' -3, '1/4' -2, '1/2' -1, 'same' 0, '2' 1, '4' 2, '8' 3, '16' 4)
set grid xtics lc rgb '#dddddd'
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 2 lc rgb '#444444' front
set label 1 'the kernel is ahead' at -1.6, -0.9 center tc rgb '#1a7f37'
set label 2 'user space is ahead' at 2, -0.9 center tc rgb '#b42318'
set ytics scale 0
set lmargin 44
set border 1
colour(r) = r < 1 / 1.02 ? 0x1a7f37 : r > 1.02 ? 0xd6453d : 0x8c959f
bar(r) = log(r) / log(2)
cut(r) = bar(r) > 4.1 ? 4.1 : bar(r)
place(r) = r < 1 ? cut(r) - 0.05 : cut(r) + 0.05
plot data using (0):0:(bar($3) < 0 ? bar($3) : 0):(bar($3) < 0 ? 0 : cut($3)):($0 - 0.38):($0 + 0.38):(colour($3)) with boxxyerror fs solid noborder lc rgb variable, \
	'' using (0):0:ytic((strcol(4) eq '1' ? strcol(1) . '  ' : '') . strcol(2)) with points pt -1, \
	'' using ($3 < 1 ? place($3) : 1 / 0):0:(sprintf('%.2f', $3)) with labels right font ',10', \
	'' using ($3 < 1 ? 1 / 0 : place($3)):0:(sprintf('%.2f', $3)) with labels left font ',10'
