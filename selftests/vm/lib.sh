# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
vm=$top/selftests/vm
build=$top/build
# shellcheck disable=SC2034 # used by the scripts that source this
cache=$build/cache
kernels="6.1 6.12 7.x debug kcsan uml uml-kasan"

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "error: $*"
	exit 1
}

# Kbuild refuses blanks and colons in the path of a module, make splits names
# at blanks, and the shell's command lines have the path unquoted.
case $top in
*[!A-Za-z0-9/._+,=@-]*)
	die "the kernel's build takes no blank, colon, quote or the like in the
  path of a module. Please move the tree: $top"
	;;
esac

# slowness: the wall time of a fixed piece of work, as a multiple of what an
# idle processor needs; at least 1. Limits against hangs are multiplied by it.
slowness()
{
	local i begin=${EPOCHREALTIME//[!0-9]/} took

	for ((i = 0; i < 50000; i++)); do :; done
	took=$((${EPOCHREALTIME//[!0-9]/} - begin))
	echo $((took < 200000 ? 1 : (took + 99999) / 100000))
}

# patience SECONDS: as long as so many seconds on an idle machine.
patience()
{
	echo $(($1 * $(slowness)))
}

# kernel_slowness LINE: of the checks that are compiled into a debug kernel.
kernel_slowness()
{
	case $1 in
	debug | kcsan | uml-kasan) echo 6 ;;
	*) echo 1 ;;
	esac
}

# await_growth PID SECONDS FILE...: returns when the process has ended, or with
# 1 when the files have not grown for so long. The limit follows the speed of
# the machine: it is measured anew before the verdict.
await_growth()
{
	local pid=$1 limit=$2 size last='' idle=0

	shift 2
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		size=$(stat -c %s "$@" 2>/dev/null || true)
		idle=$((idle + 1))
		[ "$size" = "$last" ] || idle=0
		last=$size
		[ "$idle" -lt "$limit" ] || [ "$idle" -lt "$(patience "$limit")" ] ||
			return 1
	done
}

known_kernel()
{
	case " $kernels " in
	*" $1 "*) ;;
	*) die "KERNEL=$1 is not one of: $kernels" ;;
	esac
}

# built_here LINE: is compiled, not taken from the archive.
built_here()
{
	case $1 in
	debug | kcsan | uml | uml-kasan) ;;
	*) return 1 ;;
	esac
}

# is_uml LINE: User Mode Linux, a program that is a kernel.
is_uml()
{
	[ "$1" = uml ] || [ "$1" = uml-kasan ]
}

# as_root CMD...: as it is for root, else by sudo without asking.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

# missing_packages GROUP...: what the list names and the machine lacks.
missing_packages()
{
	local group package command want=" $* "

	while read -r group package command; do
		case $group in '' | '#'*) continue ;; esac
		[[ $want == *" $group "* ]] || continue
		[ -n "$command" ] && command -v "$command" >/dev/null && continue
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
			grep -qx installed || echo "$package"
	done <"$vm/packages"
}

# need_packages GROUP...: installs what is missing, or says how.
need_packages()
{
	local list

	mapfile -t list < <(missing_packages "$@")
	[ ${#list[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		die "not root, and sudo wants a password. Please run:
  sudo apt-get install ${list[*]}"
	fi
	say "installing with apt-get: ${list[*]}"
	mkdir -p "$build/log"
	if ! apt_install "${list[@]}" && ! { as_root apt-get -q update &&
		apt_install "${list[@]}"; } >>"$build/log/apt.log" 2>&1; then
		tail -n 15 "$build/log/apt.log" >&2
		die "apt-get could not install: ${list[*]}"
	fi
}

apt_install()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" \
		>>"$build/log/apt.log" 2>&1
}
