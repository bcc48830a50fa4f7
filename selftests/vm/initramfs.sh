# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Initramfs pieces; the kernel accepts several archives one after the other,
# so the part that does not change is made once. Sourced after lib.sh.

# Modules the guest may load, with what they depend on.
# The ciphers are there by name because a guest loads nothing by alias; their
# parts have other names in every kernel.
guest_modules="smc virtio_pci virtio_net tls inet_diag tcp_diag veth sch_netem
	sch_fq sch_tbf
	gcm ctr ghash-generic chacha20poly1305 chacha_generic poly1305_generic
	chacha aesni-intel
	lzo-rle zram"

# pack_folder DIR FILE: as a cpio archive that is the same for the same files.
pack_folder()
{
	find "$1" -exec touch -h -d @1767225600 {} +
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc -R 0:0 --reproducible) >"$2"
}

# module_files TREE RELEASE: the guest's modules and what they depend on.
module_files()
{
	local module

	for module in $guest_modules; do
		modprobe -S "$2" -d "$1" --show-depends "$module" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p' || true
	done | sort -u | sed "s:^.*/lib/modules/$2/::"
}

# pack_modules LINE: the modules of the line that a guest may load, packed at
# set-up: kbuild's "clean" of an external module deletes every *.ko below it.
pack_modules()
{
	local from=$cache/kernel/$1/modules release dir to
	local PATH=$PATH:/sbin:/usr/sbin

	release=$(kernel_release "$1")
	dir=$(mktemp -d "$cache/modules.XXXXXX")
	to=$dir/guest/lib/modules/$release
	mkdir -p "$dir/tree/lib/modules" "$dir/guest/lib"
	if [ -d "$from/kernel" ]; then
		mkdir -p "$to"
		ln -s "$(readlink -f "$from")" "$dir/tree/lib/modules/$release"
		depmod -b "$dir/tree" "$release"
		module_files "$dir/tree" "$release" >"$dir/list"
		(cd "$from" && xargs cp --parents -t "$to" modules.builtin \
			modules.builtin.modinfo modules.order) <"$dir/list"
		find "$to" -name '*.ko.xz' -exec xz -d {} +
		depmod -b "$dir/guest" "$release"
	fi
	pack_folder "$dir/guest" "$dir/cpio"
	mv "$dir/cpio" "$cache/kernel/$1/modules.cpio"
	rm -rf "$dir"
}

# base_initramfs LINE: makes it when missing or old; prints its path.
# Works in the folder $tmp of "run".
base_initramfs()
{
	local file=$cache/kernel/$1/base.cpio dir

	[ "$cache/kernel/$1/modules.cpio" -nt "$vm/initramfs.sh" ] ||
		pack_modules "$1"
	if [ ! -e "$file" ] || [ "$vm/init" -nt "$file" ] ||
		[ "$vm/exit.c" -nt "$file" ] ||
		[ "$vm/initramfs.sh" -nt "$file" ] ||
		[ "$cache/kernel/$1/modules.cpio" -nt "$file" ]; then
		dir=$(mktemp -d "$tmp/base.XXXXXX")
		mkdir -p "$dir"/{bin,sbin,usr,proc,sys,dev,tmp,etc,root,run}
		ln -s ../bin "$dir/usr/bin"
		ln -s ../sbin "$dir/usr/sbin"
		cp "$cache/busybox/bin/busybox" "$dir/bin/"
		cp "$vm/init" "$dir/init"
		echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
		echo 'root:x:0:' >"$dir/etc/group"
		echo '127.0.0.1 localhost' >"$dir/etc/hosts"
		echo '::1 localhost' >>"$dir/etc/hosts"
		gcc -Os -Wall -Werror -static -nostdlib -ffreestanding -fno-pie \
			-no-pie -fno-stack-protector -o "$dir/bin/vm-exit" \
			"$vm/exit.c"
		pack_folder "$dir" "$dir.cpio"
		cat "$cache/kernel/$1/modules.cpio" "$dir.cpio" >"$file.$$"
		rm "$dir.cpio"
		mv "$file.$$" "$file"
		rm -rf "$dir"
	fi
	echo "$file"
}

# add_program DIR PROG: the program at /bin and its shared libraries in place.
add_program()
{
	local dir=$1 prog lib

	prog=$(command -v "$2") || die "--bin $2: no such program"
	mkdir -p "$dir/bin"
	cp -L "$prog" "$dir/bin/${prog##*/}"
	[ -z "${host:-}" ] || return 0
	# Static programs have none.
	{ ldd "$prog" 2>/dev/null || true; } | sed -n 's:^[^/]*\(/[^ ]*\).*:\1:p' |
		while read -r lib; do
			[ ! -e "$dir$lib" ] || continue
			mkdir -p "$dir${lib%/*}"
			cp -L "$lib" "$dir$lib"
		done
}

# add_path DIR SRC[:DST]: a file or folder; DST defaults to the same path.
add_path()
{
	local dir=$1 src=${2%%:*} dst=

	[[ $2 != *:* ]] || dst=${2#*:}
	[ -e "$src" ] || die "--add $src: no such file"
	[ -n "$dst" ] || dst=$(readlink -f "$src")
	if [ -d "$src" ]; then
		mkdir -p "$dir$dst"
		cp -a "$src/." "$dir$dst/"
	else
		[[ $dst != */ ]] || dst=$dst${src##*/}
		mkdir -p "$dir${dst%/*}"
		cp -L --preserve=mode "$src" "$dir$dst"
	fi
}
