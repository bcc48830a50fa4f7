# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# TAP for the suites that are shell scripts; sourced.

tap_count=0
tap_failed=0

# tap STATUS NAME: one result; STATUS is 0 for good.
tap()
{
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count $2"
	else
		echo "not ok $tap_count $2"
		tap_failed=$((tap_failed + 1))
	fi
}

# tap_is NAME GOT WANTED
tap_is()
{
	if [ "$2" = "$3" ]; then
		tap 0 "$1"
	else
		tap 1 "$1"
		echo "# got '$2' instead of '$3'"
	fi
}

tap_end()
{
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
}
