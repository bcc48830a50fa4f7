# SPDX-License-Identifier: GPL-2.0-only
"""Turns the counts of ws_cov.ko into a table of lines, with gcc's gcov.

Usage: report.py BUILD COUNTS EXPLAINED

COUNTS is what /proc/ws_cov said. EXPLAINED names lines that no test can
reach: FILE:FUNCTION <tab> text of the line, or * <tab> why.
"""

import json
import os
import struct
import subprocess
import sys

GOAL = 90.0
FUNCTION = 0x01000000
ARCS = 0x01a10000


def read_counts(path):
    """{file: ((version, stamp, checksum), {function: counts})}, summed."""
    files = {}
    functions = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            word = line.split()
            if word[0] == "file":
                head = tuple(int(n) for n in word[2:5])
                functions = files.setdefault(word[1], (head, {}))[1]
                continue
            key = tuple(int(n) for n in word[1:4])
            new = [int(n) for n in word[4:]]
            old = functions.get(key, [0] * len(new))
            functions[key] = [a + b for a, b in zip(old, new)]
    return files


def write_gcda(path, head, functions):
    """As libgcov of gcc 12 writes it: lengths are in bytes."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IIII", 0x67636461, *head))
        for key, counts in functions.items():
            out.write(struct.pack("<IIIII", FUNCTION, 12, *key))
            out.write(struct.pack("<II", ARCS, 8 * len(counts)))
            out.write(struct.pack(f"<{len(counts)}q", *counts))


def own_name(path):
    """The file's name below kmod/, or None for the kernel's own."""
    path = os.path.normpath(path)
    return path.split("/kmod/", 1)[1] if "/kmod/" in path else None


def gcov(gcda, lines):
    """Adds what gcov says of one object to {(file, line): [count, fn]}."""
    tool = "gcov-12" if os.path.exists("/usr/bin/gcov-12") else "gcov"
    text = subprocess.run([tool, "--json-format", "--stdout", gcda],
                          check=True, capture_output=True, text=True).stdout
    for source in json.loads(text)["files"]:
        name = own_name(source["file"])
        if name is None or name.startswith("ws_cov"):
            continue
        for line in source["lines"]:
            key = (name, line["line_number"])
            had = lines.setdefault(key, [0, line.get("function_name", "")])
            had[0] += line["count"]


def read_explained(path):
    """{(FILE:FUNCTION, text): why}"""
    explained = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                place, text, why = line.rstrip("\n").split("\t")
                explained[place, text] = why
    return explained


def table(lines):
    """Prints a line for each file; returns covered and all."""
    files = {}
    for (name, _), (count, _) in lines.items():
        entry = files.setdefault(name, [0, 0])
        entry[0] += count > 0
        entry[1] += 1
    print(f"{'file':<20} {'lines':>6} {'reached':>8} {'':>7}")
    done, total = 0, 0
    for name, (hit, size) in sorted(files.items()):
        print(f"{name:<20} {size:>6} {hit:>8} {100 * hit / size:>6.1f}%")
        done += hit
        total += size
    print(f"{'all':<20} {total:>6} {done:>8} {100 * done / total:>6.1f}%")
    return done, total


def missing(lines, root, explained):
    """Prints the lines that were not reached; returns how many lack a why."""
    used, unexplained, known = set(), [], []
    texts = {}
    for (name, number), (count, function) in sorted(lines.items()):
        if count:
            continue
        if name not in texts:
            path = os.path.join(root, "kmod", name)
            with open(path, encoding="utf-8") as source:
                texts[name] = source.read().split("\n")
        text = texts[name][number - 1].strip()
        place = f"{name}:{function}"
        key = next((k for k in ((place, text), (place, "*"))
                    if k in explained), None)
        used.add(key)
        row = f"{name}:{number} {function}: {text}"
        if key:
            known.append(f"{row}\n    {explained[key]}")
        else:
            unexplained.append(row)
    print(f"\nNot reached, for a reason ({len(known)}):")
    print("\n".join(known))
    print(f"\nNot reached ({len(unexplained)}):")
    print("\n".join(unexplained))
    for key in explained:
        if key not in used:
            print(f"no longer to be explained: {key[0]}: {key[1]}")
    return len(unexplained)


def main():
    root, counts, explained = sys.argv[1:]
    lines = {}
    for path, (head, functions) in read_counts(counts).items():
        write_gcda(path, head, functions)
        gcov(path, lines)
    done, total = table(lines)
    rest = missing(lines, root, read_explained(explained))
    percent = 100 * done / total
    print(f"\ncoverage: {done} of {total} lines, {percent:.1f} %; "
          f"{total - done - rest} of the others explained, {rest} not")
    return 0 if percent >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
