# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Where each kernel line comes from and how a module is built for it.
# Sourced after lib.sh and apt.sh. Every line ends up as
# build/cache/kernel/LINE/{release,vmlinuz,modules/}.

kernel_release()
{
	cat "$cache/kernel/$1/release"
}

archive_view()
{
	local own

	own=$(apt_release)
	[ "$own" = bookworm ] ||
		die "the VM tests need Debian 12 (this is ${own:-another system})"
	apt_view "$own" "$own" "$own-updates" "$own-backports"
}

# The source package that goes with the debug kernels, checkpatch and kselftest.
setup_source_package()
{
	[ ! -e "$cache/source/linux-source.tar.xz" ] || return 0
	archive_view
	apt_unpack "$cache/source/unpacked" linux-source-6.12 ||
		die "cannot download linux-source-6.12"
	mv "$cache"/source/unpacked/usr/src/linux-source-*.tar.xz \
		"$cache/source/linux-source.tar.xz"
	rm -rf "$cache/source/unpacked"
}

# line_configs LINE: what a kernel that is built here has on top of
# tinyconfig; later files win.
line_configs()
{
	case $1 in
	uml) echo "$vm/uml.config" ;;
	uml-*) printf '%s\n' "$vm/uml.config" "$vm/$1.config" ;;
	*) printf '%s\n' "$vm/machine.config" "$vm/$1.config" ;;
	esac
}

# line_patches LINE: what is changed in the source of such a kernel.
line_patches()
{
	! is_uml "$1" || echo "$vm/uml.patch"
}

# config_id LINE: of a kernel that is built here.
config_id()
{
	{ line_configs "$1" && line_patches "$1"; } |
		xargs -d '\n' cat | sha256sum | cut -c 1-12
}

# line_arch LINE: the kernel's make has it in ARCH.
line_arch()
{
	is_uml "$1" && echo um || uname -m
}

# kernel_ready LINE: is there, and as its configuration says.
kernel_ready()
{
	[ -e "$cache/kernel/$1/.done" ] || return 1
	! built_here "$1" || kernel_compiled "$1"
}

kernel_compiled()
{
	[ "$(cat "$cache/kernel/$1/config-id" 2>/dev/null)" = \
		"$(config_id "$1")" ]
}

setup_kernel()
{
	! kernel_ready "$1" || return 0
	case $1 in
	6.1) setup_kernel_archive 6.1 linux-{image,headers}-cloud-amd64 ;;
	6.12) setup_kernel_archive 6.12 linux-{image,headers}-6.12-cloud-amd64 ;;
	7.x) "$vm/kernel-chroot" ;;
	debug | kcsan | uml | uml-kasan)
		kernel_compiled "$1" || "$vm/kernel-debug" "$1"
		;;
	esac
	pack_modules "$1"
	: >"$cache/kernel/$1/.done"
}

# setup_kernel_archive LINE IMAGE HEADERS: the two metapackages name the
# newest version of the archive; it is kept until "make distclean".
setup_kernel_archive()
{
	local dir=$cache/kernel/$1 image headers release

	archive_view
	image=$(apt_depends "$2" | head -n 1)
	headers=$(apt_depends "$3" | grep '^linux-headers' | head -n 1)
	[ -n "$image" ] && [ -n "$headers" ] ||
		die "the archive has no $2 or no $3"
	release=${image#linux-image-}
	[ "$release" = "${headers#linux-headers-}" ] ||
		die "image $image and headers $headers do not go together"
	rm -rf "$dir"
	apt_unpack "$dir/root" "$image" "$headers" \
		"${headers%-cloud-amd64}-common" \
		"$(apt_depends "$headers" | grep '^linux-kbuild')" ||
		die "cannot download the kernel $release"
	ln -s "root/boot/vmlinuz-$release" "$dir/vmlinuz"
	ln -s "root/lib/modules/$release" "$dir/modules"
	echo "$release" >"$dir/release"
}

# kernel_make LINE DIR ARGS...: kbuild of this line on the external module DIR.
# BTF for the module would need pahole and the kernel's vmlinux.
kernel_make()
{
	local line=$1 dir=$2 release root=$cache/kernel/$1/root

	shift 2
	[ "$line" = host ] || release=$(kernel_release "$line")
	case $line in
	host)
		if [ ! -e "/lib/modules/$(uname -r)/build/Makefile" ]; then
			echo "error: please install linux-headers-$(uname -r)"
			return 1
		fi
		make -C "/lib/modules/$(uname -r)/build" M="$dir" "$@"
		;;
	6.1 | 6.12)
		make -C "$root/usr/src/linux-headers-${release%-cloud-amd64}-common" \
			O="$root/usr/src/linux-headers-$release" \
			CC="$(command -v gcc-12 || echo gcc)" M="$dir" \
			CONFIG_DEBUG_INFO_BTF_MODULES= "$@"
		;;
	7.x) "$vm/kernel-chroot" make "$dir" "$@" ;;
	debug | kcsan | uml | uml-kasan)
		# What is not built in does not do so by itself.
		make -C "$cache/kernel/$line/build" "ARCH=$(line_arch "$line")" \
			M="$dir" KCOV_INSTRUMENT=y \
			CC="$(command -v gcc-12 || echo gcc)" "$@"
		;;
	esac
}
