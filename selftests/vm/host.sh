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

# host_unload: EAGAIN is right for a moment after the last close.
host_unload()
{
	local tries=20

	[ -n "$host_loaded" ] || return 0
	until rmmod ws 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
	host_loaded=
}

host_run()
{
	local mark="kws-$$-$RANDOM"

	host_loaded='' started=1 qemu_status=0
	declare -gA status=([end]=0 [exit]=0)
	echo "$mark" >/dev/kmsg
	host_load
	unshare --mount --propagation private "$vm/host-command" \
		"$tmp/files" "$timeout" "${gets[@]}" 2>&1 |
		tee "$tmp/output" || status[exit]=$?
	host_unload || status[rmmod]=1
	dmesg | sed "1,/$mark/d" >"$tmp/kernel"
	: >"$tmp/qemu.err"
}
