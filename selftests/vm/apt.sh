# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# A private view of Debian's archive: the machine's own mirrors and keys,
# other suites, lists kept under build/. Nothing of the machine changes and
# nothing is installed. Sourced after lib.sh.

apt_release()
{
	# shellcheck source=/dev/null
	(. /etc/os-release && echo "${VERSION_CODENAME-}")
}

# apt_one_line_sources: the old sources.list format as deb822 stanzas.
apt_one_line_sources()
{
	{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null ||
		true; } | awk '$1 == "deb" {
		key = ""
		if (match($0, /signed-by=[^] ]+/))
			key = substr($0, RSTART + 10, RLENGTH - 10)
		sub(/^deb[ \t]+(\[[^]]*\][ \t]*)?/, "")
		printf "Types: deb\nURIs: %s\nSuites: %s\nComponents:", $1, $2
		for (i = 3; i <= NF && $i !~ /^#/; i++)
			printf " %s", $i
		printf "\n%s\n", key ? "Signed-By: " key "\n" : ""
	}'
}

# apt_sources SUITE...: the sources of the machine's own release, asking for
# these suites instead. Its security suite comes along when it is its own.
apt_sources()
{
	local own

	own=$(apt_release)
	{
		for file in /etc/apt/sources.list.d/*.sources; do
			[ ! -r "$file" ] || { cat "$file" && echo; }
		done
		apt_one_line_sources
	} | awk -v own="$own" -v suites="$*" '
		BEGIN { RS = ""; FS = "\n" }
		/(^|\n)Enabled:[ \t]*no/ { next }
		{
			suite = ""
			for (i = 1; i <= NF; i++)
				if ($i ~ /^Suites:/)
					suite = $i " "
			if (suite ~ "[ \t]" own "[ \t]")
				suite = suites
			else if (suite ~ "[ \t]" own "-security[ \t]" &&
				 (" " suites " ") ~ (" " own " "))
				suite = own "-security"
			else
				next
			for (i = 1; i <= NF; i++)
				if ($i ~ /^Suites:/)
					print "Suites: " suite
				else if ($i !~ /^#/)
					print $i
			print ""
		}'
}

# apt_view NAME SUITE...: makes the view (once) and points apt_opts at it.
apt_view()
{
	local dir=$cache/apt/$1

	shift
	apt_opts=(-q -o "Dir::Etc::sourcelist=$dir/list.sources"
		-o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache"
		-o APT::Sandbox::User=root -o Acquire::Languages=none
		-o Acquire::Retries=3)
	[ ! -e "$dir/.done" ] || return 0
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	apt_sources "$@" >"$dir/list.sources"
	[ -s "$dir/list.sources" ] ||
		die "no Debian mirror for $(apt_release) in /etc/apt/sources.list*"
	say "reading the package lists of: $*"
	apt-get "${apt_opts[@]}" update >"$build/log/apt-view.log" 2>&1 || {
		tail -n 5 "$build/log/apt-view.log" >&2
		die "cannot read the package lists (network down?)"
	}
	: >"$dir/.done"
}

# apt_unpack DIR PACKAGE[/SUITE]...: downloads and unpacks under DIR.
apt_unpack()
{
	local dir=$1 debs

	shift
	debs=$(mktemp -d "$cache/debs.XXXXXX")
	say "downloading $1$([ $# = 1 ] || echo " and $(($# - 1)) more")"
	(cd "$debs" && apt-get "${apt_opts[@]}" download "$@") \
		>"$build/log/apt-download.log" 2>&1 || {
		tail -n 5 "$build/log/apt-download.log" >&2
		rm -rf "$debs"
		return 1
	}
	mkdir -p "$dir"
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -rf "$debs"
}

# apt_closure PACKAGE...: the package and what it depends on, by name.
apt_depends()
{
	apt-cache "${apt_opts[@]}" depends "$1" | sed -n 's/^ *Depends: //p'
}
