# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The parts of "run": what goes into the guest, QEMU's options, reading what
# comes out, and the verdict. Sourced by it; uses its variables.
# shellcheck disable=SC2034,SC2054,SC2154

# gather_files: a folder that looks like the guest's root.
gather_files()
{
	local item

	mkdir -p "$tmp/files"
	for item in "${bins[@]}"; do
		add_program "$tmp/files" "$item"
	done
	for item in "${adds[@]}"; do
		add_path "$tmp/files" "$item"
	done
	[ -z "$load" ] || cp "$module" "$tmp/files/ws.ko"
	printf '%s\n' "$command" >"$tmp/files/cmd"
}

pack_guest()
{
	token="vm-$seed"
	[ "$clock" = instructions ] || token="vm-$$-$RANDOM"
	[ -z "$net" ] || modules="virtio_pci virtio_net $modules"
	{
		printf '%s=%q\n' TOKEN "$token" MODULES "$modules" NET "$net" \
			LOAD "$load" PARAMS "$params" \
			GET "${gets[*]%%:*}" INTERACTIVE "$shell"
		[ "$clock" = instructions ] && echo SETTLE=60 || echo SETTLE=0
	} >"$tmp/files/vm.conf"
	base_initramfs "$kernel" >"$tmp/base"
	pack_folder "$tmp/files" "$tmp/files.cpio"
	cat "$(cat "$tmp/base")" "${cpios[@]}" "$tmp/files.cpio" >"$tmp/initramfs"
	rm -rf "$tmp/files" "$tmp/files.cpio"
}

# kvm_works: really boots the guest, with a hard limit: a /dev/kvm may be
# there and hang. The answer is kept for this boot of the machine.
kvm_works()
{
	local answer=$cache/kvm

	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	if [ ! -e "$answer" ] ||
		! grep -q "^$(cat /proc/sys/kernel/random/boot_id) " "$answer"; then
		say "trying KVM (10 seconds at most)"
		mkdir -p "$tmp/probe"
		printf 'TOKEN=probe\nSETTLE=0\n' >"$tmp/probe/vm.conf"
		echo true >"$tmp/probe/cmd"
		pack_folder "$tmp/probe" "$tmp/probe.cpio"
		cat "$(cat "$tmp/base")" "$tmp/probe.cpio" >"$tmp/probe.img"
		# In a shell of its own, which does not announce an abort.
		(timeout -s KILL 10 "$vm/qemu" "${common_args[@]}" -enable-kvm \
			-cpu host -m 512 -initrd "$tmp/probe.img" \
			-append "$boot_args" -serial stdio -serial null \
			</dev/null || true) >"$tmp/probe.out" 2>&1
		if grep -q '^probe end 0' "$tmp/probe.out"; then
			echo "$(cat /proc/sys/kernel/random/boot_id) yes" >"$answer"
		else
			echo "$(cat /proc/sys/kernel/random/boot_id) no" >"$answer"
			say "KVM does not boot a guest here: using TCG"
		fi
	fi
	grep -q ' yes$' "$answer"
}

# What a kernel with KASAN shall do: go on after a finding.
debug_args="kasan_multi_shot slub_debug=FZP"

guest_options()
{
	local item hostfwd=''

	boot_args="console=ttyS1,115200 panic=-1 loglevel=7 printk.devkmsg=on"
	boot_args+=" net.ifnames=0 rdinit=/init"
	case $kernel in
	debug) boot_args+=" $debug_args" ;;
	# In which the other processor, emulated, gets somewhere.
	kcsan) boot_args+=" kcsan.skip_watch=2000"
		boot_args+=" kcsan.udelay_task=600 kcsan.udelay_interrupt=60" ;;
	esac
	common_args=(-no-user-config -nodefaults -display none -no-reboot
		-kernel "$(readlink -f "$cache/kernel/$kernel/vmlinuz")"
		-device isa-debug-exit,iobase=0xf4,iosize=0x04)
	qemu_args=("${common_args[@]}" -m "$mem" -initrd "$tmp/initramfs")
	for item in "${fwd[@]}"; do
		hostfwd+=",hostfwd=tcp:127.0.0.1:${item%%:*}-:${item#*:}"
	done
	[ -z "$net" ] || qemu_args+=(-netdev "user,id=n0$hostfwd"
		-device "virtio-net-pci,netdev=n0,romfile=")
	if [ "$clock" = instructions ]; then
		accel=instructions
		boot_args+=" nokaslr norandmaps tsc=reliable cryptomgr.notests"
		qemu_args+=(-icount "shift=0,sleep=off" -accel
			"tcg,thread=single" -smp 1 -cpu EPYC-Rome -seed "$seed"
			-rtc "base=2026-01-01,clock=vm")
	elif kvm_works; then
		accel=kvm
		qemu_args+=(-enable-kvm -cpu host -smp "$smp")
	else
		accel=tcg
		# A busy host makes an emulated processor look stalled.
		boot_args+=" rcupdate.rcu_cpu_stall_suppress=1 watchdog_thresh=60"
		qemu_args+=(-accel "tcg,thread=multi" -smp "$smp"
			-cpu "Haswell-noTSX,-erms,-pcid,-invpcid,-tsc-deadline")
	fi
	qemu_args+=(-append "$boot_args" "${words[@]}")
	guest_errors=$tmp/qemu.err
	guest_command=("$vm/qemu" "${qemu_args[@]}"
		-serial "${shell:+mon:}stdio"
		-serial "file:${tmp//,/,,}/kernel")
}

# end_hang PID: ends a guest that has not written anything for too long.
end_hang()
{
	local limit=$((timeout * $(kernel_slowness "$kernel")))

	await_growth "$1" "$limit" "$tmp/kernel" "$tmp/output" "$tmp/got" || {
		: >"$tmp/hangs"
		# All of its group, and at once: User Mode Linux has things to
		# say when it is asked to end.
		kill -KILL -- "-$1"
	}
}

# run_guest: one boot; leaves started, statuses and qemu_status.
run_guest()
{
	started='' qemu_status=0 tail_pid=''
	declare -gA status=()
	: >"$tmp/kernel"
	: >"$tmp/output"
	: >"$tmp/got"
	: >"$tmp/qemu.err"
	rm -f "$tmp/serial"
	mkfifo "$tmp/serial"
	rm -f "$tmp/hangs"
	# Ends the whole group of processes when it is ended.
	timeout -k 5 0 "${guest_command[@]}" </dev/null \
		>"$tmp/serial" 2>>"$guest_errors" &
	qemu_pid=$!
	end_hang "$qemu_pid" &
	hang_pid=$!
	clock_pid=
	[ "$accel" != native ] || { uml_clock & clock_pid=$!; }
	if [ -n "$verbose" ]; then
		tail -f --pid=$qemu_pid "$tmp/kernel" >&2 &
		tail_pid=$!
	fi
	read_serial <"$tmp/serial"
	# Bash announces a process that was killed.
	wait $qemu_pid 2>/dev/null || qemu_status=$?
	qemu_pid=
	wait $hang_pid || true
	[ ! -e "$tmp/hangs" ] || qemu_status=124
	[ -z "$clock_pid" ] || kill "$clock_pid" 2>/dev/null || true
	[ -z "$tail_pid" ] || wait $tail_pid || true
}

emit()
{
	printf '%s\n' "$1"
	printf '%s\n' "$1" >&8
}

# read_file GUESTPATH: the base64 lines up to the end mark.
read_file()
{
	local item line to=''

	for item in "${gets[@]}"; do
		[ "${item%%:*}" != "$1" ] || to=${item#*:}
	done
	while IFS= read -r line && [[ $line != "$token endfile "* ]]; do
		printf '%s\n' "$line"
	done | base64 -di >"$tmp/got"
	[ -n "$to" ] || return 0
	mkdir -p "$(dirname "$to")"
	cp "$tmp/got" "$to"
}

# read_serial: passes the command's output on, keeps our own lines.
read_serial()
{
	local line before what value rest

	while IFS= read -r line || [ -n "$line" ]; do
		# Firmware speaks on this port before init does.
		if [[ $line != *"$token "* ]]; then
			[ -z "$started" ] || emit "$line"
			continue
		fi
		# A status may come behind output without a final newline.
		before=${line%%"$token "*}
		[ -z "$before" ] || [ -z "$started" ] || emit "$before"
		read -r what value rest <<<"${line#*"$token "}"
		case $what in
		start) started=1 ;;
		file) read_file "$value" ;;
		nofile) status[nofile]+="$value " ;;
		*) status[$what]=$value ;;
		esac
	done 8>>"$tmp/output"
}

save_logs()
{
	mkdir -p "$(dirname "$log")"
	cp "$tmp/output" "$log"
	tr -d '\r' <"$tmp/kernel" >"$log.kernel"
	cat "$tmp/qemu.err" >>"$log.kernel"
}

# fail CODE MESSAGE: the first complaint decides the exit status.
fail()
{
	say "FAILED: $2"
	[ "$result" != 0 ] || result=$1
}

# Of data races those with our code at either end: the kernel has its own.
splats()
{
	grep -nF -f <(grep -v "^#" "$vm/splats") "$log.kernel" |
		grep -vE 'Command line:|Speculative Return Stack' |
		awk '!/BUG: KCSAN: data-race in/ || /\[ws\]/' || true
}

# count_splats FOUND: a line for the sum at the end of all suites; a stack
# trace is counted with what it belongs to.
count_splats()
{
	local leaks others

	leaks=$(grep -c 'unreferenced object' <<<"$1" || true)
	others=$(grep -vcE 'unreferenced object|Call Trace|^$' <<<"$1" || true)
	[ -z "$1" ] || [ "$leaks" != 0 ] || [ "$others" != 0 ] || others=1
	echo "log $kernel ${log#"$top"/}.kernel $others $leaks" \
		>>"$KWS_RESULTS"
}

verdict()
{
	local found item

	result=0
	found=$(splats)
	[ -z "${KWS_RESULTS:-}" ] || count_splats "$found"
	if [ -n "$found" ]; then
		fail 97 "the kernel complained (${log#"$top"/}.kernel):"
		sed -n "$(head -n 1 <<<"$found" | cut -d: -f1),+40p" \
			"$log.kernel" >&2
	fi
	if [ -z "$started" ]; then
		tail -n 15 "$log.kernel" >&2
		fail 95 "the guest did not boot"
		exit "$result"
	fi
	[ "$qemu_status" != 124 ] ||
		fail 124 "nothing from the guest for $timeout seconds, killed"
	[ "${status[insmod]:-0}" = 0 ] || {
		tail -n 5 "$log.kernel" >&2
		fail 96 "insmod ws.ko failed"
	}
	if [ "$result" = 124 ]; then
		exit "$result"
	elif [ -z "${status[exit]-}" ]; then
		[ "$result" != 0 ] || tail -n 15 "$log.kernel" >&2
		fail 98 "the guest died while the command ran"
	else
		[ "${status[rmmod]:-0}" = 0 ] ||
			fail 96 "rmmod ws failed after the command"
		[ -z "${status[nofile]-}" ] ||
			fail 1 "not there to get: ${status[nofile]}"
		[ -n "${status[end]-}" ] || fail 98 "the guest died at its end"
		[ "${status[exit]}" = 0 ] || {
			say "the command's exit status is ${status[exit]}"
			[ "$result" != 0 ] || result=${status[exit]}
		}
	fi
	exit "$result"
}
