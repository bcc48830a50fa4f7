# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# HOST=1: the same command line on the running kernel, for people who own the
# machine and ask for it. Sourced by "run"; uses its variables.
# shellcheck disable=SC2034,SC2154

host_refuse()
{
	local item

	[ "$(id -u)" = 0 ] || die "HOST=1 loads the module: run it as root"
	[ "$clock" = host ] || die "HOST=1 has no instruction clock"
	[ -z "$shell" ] || die "HOST=1 has no shell: load kmod/ws.ko yourself"
	[ ! -d /sys/module/ws ] ||
		die "ws is loaded already; unload it first: rmmod ws"
	for item in "${fwd[@]}"; do
		[ "${item%%:*}" = "${item#*:}" ] ||
			die "HOST=1 cannot forward a port to another: $item"
	done
}

# host_load: only what was not there before is taken away again.
host_load()
{
	local item

	for item in $modules; do
		modprobe "$item" || say "modprobe $item failed"
	done
	[ -n "$load" ] || return 0
	# shellcheck disable=SC2086 # parameters are words
	insmod "$module" $params || die "insmod $module failed; see dmesg"
	host_loaded=1
}

# host_unload: EAGAIN is right while TCP keeps sockets that have no file any
# more, see unload() in "init".
host_unload()
{
	local tenths=0

	[ -n "$host_loaded" ] || return 0
	until rmmod ws 2>/dev/null; do
		tenths=$((tenths + 1))
		[ "$tenths" -lt 2100 ] || return 1
		[ "$tenths" != 20 ] || {
			say "ws is held after 2 s, waiting:"
			grep -v '[[:space:]]0$' /proc/net/ws_stat || true
			grep '^TCP' /proc/net/sockstat
		} >&2
		sleep 0.1
	done
	host_loaded=
}

host_run()
{
	local mark="kws-$$-$RANDOM" pid hang_pid

	host_loaded='' started=1 qemu_status=0
	declare -gA status=([end]=0 [exit]=0)
	echo "$mark" >/dev/kmsg
	host_load
	: >"$tmp/output"
	timeout -k 5 0 unshare --mount --propagation private \
		"$vm/host-command" "$tmp/files" "${gets[@]}" \
		> >(tee "$tmp/output") 2>&1 &
	pid=$!
	end_hang "$pid" &
	hang_pid=$!
	wait "$pid" || status[exit]=$?
	wait "$hang_pid" || true
	[ ! -e "$tmp/hangs" ] || qemu_status=124
	host_unload || status[rmmod]=1
	dmesg | sed "1,/$mark/d" >"$tmp/kernel"
	: >"$tmp/qemu.err"
}
