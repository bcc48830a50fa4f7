# SPDX-License-Identifier: GPL-2.0-only
"""Results of cases: read, merged, counted, and compared with what is known."""
import collections
import json

VERDICTS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")
CLOSES = ("CLEAN", "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT", "FAILED",
          "INFORMATIONAL")
GOOD_CLOSES = ("CLEAN", "INFORMATIONAL")
ROLES = ("server", "client")
# The order of columns; others come behind, by name.
PEERS = ("kws-kernel", "kws-userspace", "ws", "websockets")
DEFLATE_GROUPS = ("12", "13")


def group(case):
    """The group of a case: "6" of "6.4.1"."""
    return case.split(".", 1)[0]


def by_number(case):
    """For sorting: 9.1.10 comes behind 9.1.9."""
    return [int(part) for part in case.split(".")]


def load(files):
    """Objects of all files; of two for the same case, peer and role the later
    one counts."""
    found = {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            for result in json.load(file):
                key = result["case"], result["peer"], result["role"]
                found[key] = result
    return sorted(found.values(), key=lambda r: (
        by_number(r["case"]), column_order((r["peer"], r["role"]))))


def column_order(column):
    """Where a (peer, role) stands in a table."""
    peer, role = column
    known = PEERS.index(peer) if peer in PEERS else len(PEERS)
    return known, peer, ROLES.index(role)


def columns(results):
    """The (peer, role) pairs there are."""
    return sorted({(r["peer"], r["role"]) for r in results}, key=column_order)


def groups(results):
    """The groups there are."""
    return sorted({group(r["case"]) for r in results}, key=int)


def count(results, what="verdict"):
    """(group, peer, role) -> Counter of verdicts, or of closes."""
    counts = collections.defaultdict(collections.Counter)
    for result in results:
        key = group(result["case"]), result["peer"], result["role"]
        counts[key][result[what]] += 1
    return counts


def listed(exceptions, case, usual):
    """What the record says of a case: exceptions is verdict -> cases."""
    for verdict, cases in exceptions.items():
        if case in cases:
            return verdict
    return usual


class Expected:
    """What is recorded in expected.json."""

    def __init__(self, file, sample, only=None):
        with open(file, encoding="utf-8") as stream:
            record = json.load(stream)
        self.peers = record["peers"]
        self.sizes = {name: size for name, size in record["groups"].items()
                      if not only or name in only}
        self.sample = {}
        if sample:
            for case in record["sample"]:
                self.sample.setdefault(group(case), []).append(case)

    def missing(self, name, cases):
        """Why these are not all the cases of a group, or None."""
        if name in self.sample:
            lost = set(self.sample[name]) - set(cases)
            return f"not run: {', '.join(sorted(lost))}" if lost else None
        if len(cases) != self.sizes[name]:
            return f"{len(cases)} cases, not {self.sizes[name]}"
        return None

    def verdict(self, result):
        """The verdict on record for the case of a result."""
        roles = self.peers[result["peer"]]
        return listed(roles.get(result["role"], {}), result["case"], "OK")

    def close(self, result):
        """... and the close."""
        role = self.peers[result["peer"]].get(result["role"], {})
        return listed(role.get("closes", {}), result["case"], "CLEAN")

    def race(self, result):
        """Is it a matter of time whether this case is OK after all?"""
        return result["case"] in self.peers[result["peer"]].get("races", ())
