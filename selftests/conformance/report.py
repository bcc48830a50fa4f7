#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Merges results, prints the table, writes the page, checks against a record.

    report.py FILE... [--json OUT] [--html DIR]
              [--expect FILE [--versions FILE] [--faults FILE] [--tap]]

FILE is what the fuzzing client and the fuzzing server write. With --expect the
exit status is 1 when something differs from the record.
"""
import argparse
import collections
import json
import sys

import page
import results as res

WIDTH = 15
MANY = 12       # lines about one check


def totals(found):
    """[(name, Counters per column)]: the groups, and the two sums."""
    counts = res.count(found)
    rows = []
    sums = {"1-10": collections.defaultdict(collections.Counter),
            "12-13": collections.defaultdict(collections.Counter)}
    for name in res.groups(found):
        row = {}
        for column in res.columns(found):
            row[column] = counts.get((name, *column), collections.Counter())
            total = "12-13" if name in res.DEFLATE_GROUPS else "1-10"
            sums[total][column] += row[column]
        rows.append((name, row))
    return rows + [(name, row) for name, row in sums.items() if row]


def two_lines(columns):
    """The heads of a table."""
    for i in (0, 1):
        text = "".join(f"{column[i]:>{WIDTH}}" for column in columns)
        yield f"{'group   verdict' if i else '':<22}{text}"


def table(found):
    """Lines: group x verdict x peer and role."""
    columns = res.columns(found)
    yield from two_lines(columns)
    for name, row in totals(found):
        for verdict in res.VERDICTS:
            if not any(row[column][verdict] for column in columns):
                continue
            cells = "".join(f"{row[column][verdict] or '.':>{WIDTH}}"
                            for column in columns)
            yield f"{name:<8}{verdict:<14}{cells}"
            name = ""
    yield ""
    closes = collections.defaultdict(collections.Counter)
    for result in found:
        closes[result["close"]][result["peer"], result["role"]] += 1
    for i, close in enumerate(c for c in res.CLOSES if c in closes):
        cells = "".join(f"{closes[close][column] or '.':>{WIDTH}}"
                        for column in columns)
        yield f"{'' if i else 'close':<6}{close:<16}{cells}"


def ranges(cases, known):
    """The cases as text, short: "13.2.1 to 13.2.18"; known is all there are,
    in order."""
    parts = []
    for case in cases:
        at = known.index(case)
        if parts and parts[-1][1] == at - 1 and \
           res.group(known[at - 1]) == res.group(case):
            parts[-1][1] = at
        else:
            parts.append([at, at])
    return ", ".join(
        known[first] if first == last else f"{known[first]} to {known[last]}"
        for first, last in parts)


def remarks(found):
    """Lines: per peer and role the cases that are not OK, not closed clean."""
    known = sorted({r["case"] for r in found}, key=res.by_number)
    for column in res.columns(found):
        kinds = collections.defaultdict(list)
        for result in found:
            if (result["peer"], result["role"]) != column:
                continue
            if result["verdict"] != "OK":
                kinds[result["verdict"]].append(result["case"])
            if result["close"] not in res.GOOD_CLOSES:
                kinds[f"close {result['close']}"].append(result["case"])
        for kind, cases in sorted(kinds.items()):
            yield (f"{column[0]}, {column[1]}, {kind}: "
                   f"{ranges(cases, known)}")


class Tap:
    """One line a check; what failed says why below."""

    def __init__(self, quiet):
        self.quiet = quiet      # failures only, as sentences
        self.count = self.failed = 0

    def check(self, name, faults):
        """faults: lines; none is good."""
        self.count += 1
        if faults:
            self.failed += 1
        if len(faults) > MANY:
            faults = faults[:MANY] + [f"... and {len(faults) - MANY} more"]
        if self.quiet:
            if faults:
                print(f"not as expected: {name}")
                print("".join(f"  {line}\n" for line in faults), end="")
            return
        print(f"{'not ok' if faults else 'ok'} {self.count} {name}")
        for line in faults:
            print(f"# {line}")

    def end(self):
        """The plan; the exit status."""
        if not self.quiet:
            print(f"1..{self.count}")
        return 1 if self.failed else 0


def describe(result, wanted):
    """A line about a case that went wrong."""
    return (f"{result['case']}: {result['verdict']}, close {result['close']}; "
            f"on record: {wanted}; {result['detail']}")


def differences(cases, expected):
    """Lines about the verdicts that differ from the record. Some, of which
    the record says so, are a race within the peer: four such may be better."""
    lines = []
    races = 4
    for result in cases:
        if result["verdict"] == expected.verdict(result):
            continue
        if races and result["verdict"] == "OK" and expected.race(result):
            races -= 1
            continue
        lines.append(describe(result, expected.verdict(result)))
    return lines


def check_kws(tap, name, column, cases):
    """One line a group, and one for the closes."""
    expected = tap.expected
    for number in expected.sizes:
        part = [r for r in cases if res.group(r["case"]) == number]
        faults = differences(part, expected)
        missing = expected.missing(number, [r["case"] for r in part])
        if missing:
            faults.insert(0, missing)
        tap.check(f"{name}: group {number}, {len(part)} cases", faults)
    tap.check(f"{name}: all closes clean", [
        describe(r, "a clean close") for r in cases
        if r["close"] not in res.GOOD_CLOSES] or
        ([] if cases else [f"no results for {column}"]))


def check_other(tap, name, cases, version):
    """The check of the checker: other peers get what is on record."""
    expected = tap.expected
    peer = expected.peers[name.split(",")[0]]
    if version != peer["version"]:
        tap.check(f"{name}: is version {peer['version']}", [
            f"it is {version}: the record has to be made again"])
    faults = differences(cases, expected)
    for number in expected.sizes:
        missing = expected.missing(number, [
            r["case"] for r in cases if res.group(r["case"]) == number])
        if missing:
            faults.append(f"group {number}: {missing}")
    counts = collections.Counter(
        r["verdict"] for r in cases
        if res.group(r["case"]) not in res.DEFLATE_GROUPS)
    text = "/".join(str(counts[v]) for v in res.VERDICTS if counts[v])
    tap.check(f"{name} {version}: verdicts as on record, {text} in groups "
              f"1-10", faults)
    tap.check(f"{name} {version}: closes as on record", [
        describe(r, f"close {expected.close(r)}") for r in cases
        if r["close"] not in (expected.close(r), "INFORMATIONAL")])


def compare(found, args):
    """Everything on record against what was found. The exit status."""
    tap = Tap(not args.tap)
    tap.expected = res.Expected(args.expect, args.sample,
                                args.groups and args.groups.split(","))
    versions = {}
    if args.versions:
        with open(args.versions, encoding="utf-8") as file:
            versions = json.load(file)
    for peer in args.peers.split(","):
        for role in res.ROLES:
            name = f"{peer}, {role}"
            cases = [r for r in found
                     if (r["peer"], r["role"]) == (peer, role)]
            if peer.startswith("kws"):
                check_kws(tap, name, (peer, role), cases)
            else:
                check_other(tap, name, cases, versions.get(peer))
    if args.faults:
        with open(args.faults, encoding="utf-8") as file:
            tap.check("nothing went wrong around the cases",
                      file.read().splitlines())
    return tap.end()


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", nargs="*")
    parser.add_argument("--json", help="all results, merged")
    parser.add_argument("--html", help="folder of the page, index.html")
    parser.add_argument("--expect", help="the record to compare with")
    parser.add_argument("--peers", default=",".join(res.PEERS),
                        help="those that must be there, for --expect")
    parser.add_argument("--sample", action="store_true",
                        help="of some groups the record's sample was run")
    parser.add_argument("--groups", help="only these were run, for --expect")
    parser.add_argument("--versions", help="JSON: versions of the peers")
    parser.add_argument("--faults", help="lines about other faults")
    parser.add_argument("--tap", action="store_true",
                        help="the comparison as TAP instead of the table")
    args = parser.parse_args()
    found = res.load(args.file)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
    if args.html:
        page.write(args.html, found)
    if not args.tap:
        print(*table(found), "", *remarks(found), sep="\n")
    return compare(found, args) if args.expect else 0


if __name__ == "__main__":
    sys.exit(main())
