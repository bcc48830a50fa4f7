# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# User Mode Linux: the guest is processes of this machine, without emulation,
# and its time is the real one. Sourced by "run"; uses its variables.
# shellcheck disable=SC2034,SC2054,SC2154

uml_refuse()
{
	[ -z "$net" ] ||
		die "--kernel $kernel has no network but its own: no --net, --fwd"
	[ "$clock" = host ] || die "--kernel $kernel has the real clock only"
	[ "${smp:-1}" = 1 ] || die "--kernel $kernel has one processor only"
}

# The guest's memory is a file, which must not be written to a disk.
uml_memory()
{
	local dir

	for dir in "${TMPDIR:-}" /dev/shm /run /tmp; do
		[ -d "$dir" ] && [ -w "$dir" ] || continue
		[ "$(stat -f -c %T "$dir")" = tmpfs ] || continue
		[ "$(stat -f -c '%a %S' "$dir" | awk '{ print int($1 * $2 / 2^20) }')" \
			-ge "$mem" ] || continue
		echo "$dir"
		return
	done
	say "no tmpfs has $mem MiB for the guest's memory: using $tmp"
	echo "$tmp"
}

# uml_processor: the last of those that we may use, or another one for each of
# the guests that check runs side by side. A guest's processes take turns, one
# at a time: to wake the other processor up for each turn takes most of their
# time.
uml_processor()
{
	local list range

	mapfile -t list < <(taskset -cp $$ | sed 's/.*: //; s/,/\n/g' |
		while read -r range; do
			seq "${range%-*}" "${range#*-}"
		done)
	echo "${list[-1 - ${KWS_LANE:-0} % ${#list[@]}]}"
}

# uml_options: the second serial port of QEMU's guest is here the standard
# error output, where the kernel's console is. The guest's own second port is
# for uml_clock().
uml_options()
{
	local serial=null,fd:1

	accel=native guest_errors=$tmp/kernel
	[ -z "$shell" ] || serial=fd:0,fd:1
	rm -f "$tmp/ask" "$tmp/answer"
	mkfifo "$tmp/ask" "$tmp/answer"
	# shellcheck disable=SC2016 # expanded by the inner shell
	# By names without the folder: the address of a socket has 107 bytes.
	guest_command=(bash -c 'cd "$0" && echo $$ >pid
		exec 3<>answer 4<>ask "$@"' "$tmp"
		taskset -c "$(uml_processor)" env "TMPDIR=$(uml_memory)"
		"$(readlink -f "$cache/kernel/$kernel/vmlinuz")" "mem=${mem}M"
		initrd=initramfs rdinit=/init uml_dir=uml/
		"ssl0=$serial" ssl1=fd:3,fd:4 ssl=null con0=null,fd:2 con=null
		console=tty0 panic=-1 loglevel=7 printk.devkmsg=on)
	# Not slub_debug: KASAN finds the same, and it has kept one from booting.
	[ "$kernel" = uml ] || guest_command+=(kasan_multi_shot)
	# A panic of the guest ends in abort().
	ulimit -c 0
}

# uml_cpu: the processor time that the guest has had so far, in ns: that of
# the kernel's process and of its children, which are the guest's processes.
uml_cpu()
{
	local process

	# The names of these processes have no blanks. Others come and go.
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } |
		awk -v main="$(cat "$tmp/pid")" '$1 == main || $4 == main {
			print $1 }' |
		while read -r process; do
			cat "/proc/$process"/task/*/schedstat 2>/dev/null || true
		done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# uml_clock: for each line from the guest's /dev/ttyS1 the answer is uml_cpu.
# A busy machine makes the guest wait, but does not make this time longer.
uml_clock()
{
	while read -r _; do
		uml_cpu
	done <"$tmp/ask" >"$tmp/answer"
}
