# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# User Mode Linux: the guest is processes of this machine, without emulation,
# and its time is the real one. Sourced by "run"; uses its variables.
# shellcheck disable=SC2034,SC2154

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

# uml_options: the second serial port of QEMU's guest is here the standard
# error output, where the kernel's console is.
uml_options()
{
	local serial=null,fd:1

	accel=native guest_errors=$tmp/kernel
	[ -z "$shell" ] || serial=fd:0,fd:1
	guest_command=(env "TMPDIR=$(uml_memory)"
		"$(readlink -f "$cache/kernel/$kernel/vmlinuz")" "mem=${mem}M"
		"initrd=$tmp/initramfs" rdinit=/init "uml_dir=$tmp/uml/"
		"ssl0=$serial" ssl=none con0=null,fd:2 con=none console=tty0
		panic=-1 loglevel=7 printk.devkmsg=on)
	# shellcheck disable=SC2206 # words
	[ "$kernel" = uml ] || guest_command+=($debug_args)
	# A panic of the guest ends in abort().
	ulimit -c 0
}
