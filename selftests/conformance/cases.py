# SPDX-License-Identifier: GPL-2.0-only
"""All cases in order, and how to choose some of them."""
import itertools

from cases_bulk import bulk
from cases_close import closing
from cases_deflate import deflate
from cases_frames import (automatic, fragments, framing, opcodes, pings,
                          reserved_bits)
from cases_utf8 import utf8

ALL = list(itertools.chain(framing(), pings(), reserved_bits(), opcodes(),
                           fragments(), utf8(), closing(), bulk(),
                           automatic(), deflate()))


def number(name):
    """1.2.3 as something to compare."""
    return tuple(int(part) for part in name.split("."))


def choose(spec):
    """The cases that a list such as "1,6.4,9.1.1-9.1.5" names, in order."""
    if spec == "all":
        return ALL
    chosen = set()
    for item in spec.split(","):
        first, _, last = item.strip().partition("-")
        first, last = number(first), number(last or first)
        found = [case.name for case in ALL
                 if number(case.name)[:len(first)] >= first and
                 number(case.name)[:len(last)] <= last]
        if not found:
            raise ValueError(f"no case {item}")
        chosen.update(found)
    return [case for case in ALL if case.name in chosen]
