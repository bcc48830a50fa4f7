# SPDX-License-Identifier: GPL-2.0-only
"""The lines that one test reaches, from gcc's tables and what ws_cov.ko counted.

gcov would do, but takes minutes for so many tests: its arithmetic is done here.
"""

import struct

FUNCTION, BLOCKS, ARCS, LINES = 0x01000000, 0x01410000, 0x01430000, 0x01450000
ON_TREE = 1


class Words:
    """A .gcno file of gcc 12 or 13: numbers of 32 bits, and strings."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        """The next one."""
        self.at += 4
        return struct.unpack_from("<I", self.data, self.at - 4)[0]

    def string(self):
        """Its length comes first, and counts its end."""
        length = self.number()
        self.at += length
        return self.data[self.at - length:self.at - 1].decode()


class Graph:
    """Blocks of a function, and the arcs between them."""

    def __init__(self, name):
        self.name = name
        self.blocks = 0
        self.arcs = []      # (from, to, has a count of its own)
        self.lines = {}     # block: {(path, line)}

    def reached(self, counts):
        """The lines of blocks that have run."""
        known = dict(zip((i for i, arc in enumerate(self.arcs) if arc[2]),
                         counts))
        sums = self.solve(known)
        reached = set()
        for block, lines in self.lines.items():
            if sums.get(block):
                reached |= lines
        return reached

    def solve(self, known):
        """What flows into a block flows out of it, until all is known."""
        ins = [[] for _ in range(self.blocks)]
        outs = [[] for _ in range(self.blocks)]
        for i, (source, target, _) in enumerate(self.arcs):
            outs[source].append(i)
            ins[target].append(i)
        sums, changed = {}, True
        while changed:
            changed = False
            for block in range(self.blocks):
                for side in (ins[block], outs[block]):
                    missing = [i for i in side if i not in known]
                    total = sum(known[i] for i in side if i in known)
                    if side and not missing and block not in sums:
                        sums[block] = total
                        changed = True
                    if len(missing) == 1 and block in sums:
                        known[missing[0]] = sums[block] - total
                        changed = True
        return sums


def read_gcno(path):
    """{ident of a function: its graph}"""
    with open(path, "rb") as file:
        words = Words(file.read())
    words.at = 16
    words.string()
    words.number()
    graphs, graph = {}, None
    while words.at + 8 <= len(words.data):
        tag, length = words.number(), words.number()
        end = words.at + length
        if tag == FUNCTION:
            ident = words.number()
            words.at += 8
            graph = graphs[ident] = Graph(words.string())
        elif tag == BLOCKS:
            graph.blocks = words.number()
        elif tag == ARCS:
            source = words.number()
            while words.at < end:
                target, flags = words.number(), words.number()
                graph.arcs.append((source, target, not flags & ON_TREE))
        elif tag == LINES:
            lines = graph.lines.setdefault(words.number(), set())
            path = None
            while words.at < end:
                number = words.number()
                if number:
                    lines.add((path, number))
                else:
                    path = words.string() if words.at < end else None
        words.at = end
    return graphs


def own_name(path):
    """The file's name below kmod/, or None for the kernel's own."""
    return path.split("/kmod/", 1)[1] if path and "/kmod/" in path else None


def named(lines):
    """{"FILE:LINE"} of our own."""
    return {f"{own_name(path)}:{number}" for path, number in lines
            if own_name(path)}


class Tables:
    """The graphs of all objects, read when they are first asked for."""

    def __init__(self):
        self.files = {}

    def graphs(self, gcda):
        """Of an object, by the path that is compiled into it."""
        if gcda not in self.files:
            self.files[gcda] = read_gcno(gcda[:-len("gcda")] + "gcno")
        return self.files[gcda]

    def reached(self, text):
        """The lines of what /proc/ws_cov said."""
        found, graphs = set(), {}
        for line in text.splitlines():
            word = line.split()
            if word[0] == "file":
                graphs = self.graphs(word[1])
            elif int(word[1]) in graphs:
                found |= graphs[int(word[1])].reached(
                    [int(n) for n in word[4:]])
        return named(found)

    def known(self):
        """{"FILE:LINE": [objects that have code of it]}"""
        known = {}
        for gcda, graphs in self.files.items():
            name = own_name(gcda)[:-len("gcda")] + "o"
            for graph in graphs.values():
                for lines in graph.lines.values():
                    for line in named(lines):
                        known.setdefault(line, set()).add(name)
        return {line: sorted(objects) for line, objects in known.items()}
