# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of C sources: each is one small change that could be a mistake.

Usage: mutate.py FILE...      lists them all

kind      what is changed
negate    the condition of an if, a loop or ?: is negated
equal     == and != swapped
bound     < and <=, > and >= swapped
constant  a number is one more; beside < or > also one less
logic     && and || swapped
term      a part of an && or || is left out
flag      a part of an OR of bits is left out
call      a statement that is a call is left out
assign    a statement that is an assignment is left out
leave     a return, goto, break or continue is left out
errno     an error is returned as 0
swap      two statements, one after the other, change places: two that call
          something other than a counter, or one that uses what the other sets
bool      true and false swapped
sign      + and -, += and -=, ++ and -- swapped

A mutant's name does not depend on line numbers: FILE:FUNCTION:KIND:HASH.N, the
hash of the line's text and which of those that would have the same name.
"""

import hashlib
import os
import re
import sys

from source import ASSIGNS, CLOSE, LEAVES, OPEN, TYPES, Source

SWAPS = {
    "equal": {"==": "!=", "!=": "=="},
    "bound": {"<": "<=", "<=": "<", ">": ">=", ">=": ">"},
    "logic": {"&&": "||", "||": "&&"},
    "bool": {"true": "false", "false": "true"},
    "sign": {"+=": "-=", "-=": "+=", "++": "--", "--": "++"},
}
# What an operand of the sign ends at, on the same level of brackets.
ENDS = {"?", ":", ";", ",", "=", "+=", "-=", "&=", "|=", "return", "case"}
WEAKER = {"|": ENDS | {"&&", "||", "|"}, "&&": ENDS | {"&&", "||"},
          "||": ENDS | {"||"}, "?": ENDS}
# Nothing of these is there when the module runs.
STATIC = {"BUILD_BUG_ON", "static_assert", "BUILD_BUG_ON_MSG", "sizeof",
          "offsetof", "lockdep_assert_held", "sizeof_field"}


class Mutant:
    """source.text from start to end becomes new."""

    def __init__(self, source, function, kind, start, end, new):
        self.source, self.function, self.kind = source, function, kind
        self.start, self.end = start, end
        old = source.text[start:end]
        # Lines keep their numbers.
        self.new = new + "\n" * (old.count("\n") - new.count("\n"))
        self.first = source.line_of(start)
        self.last = source.line_of(end)
        self.name = ""

    def apply(self):
        """The text of the whole file."""
        text = self.source.text
        return text[:self.start] + self.new + text[self.end:]

    def change(self):
        """OLD -> NEW, of the lines around it."""
        begin, behind = self.source.lines(self.start, self.end)
        text = self.source.text
        new = text[begin:self.start] + self.new + text[self.end:behind]
        return f"{squeeze(text[begin:behind])} -> {squeeze(new)}"

    def line(self):
        """The text that the name is made of."""
        begin, behind = self.source.lines(self.start, self.start)
        return squeeze(self.source.text[begin:behind])


def squeeze(text):
    """On one line, with single blanks."""
    return re.sub(r"\s+", " ", text).strip()


class Finder:
    """Makes the mutants of one function."""

    def __init__(self, function):
        self.function, self.source = function, function.source
        self.tokens = self.source.tokens
        self.found = []

    def add(self, kind, first, last, new):
        """Tokens first to last become new."""
        self.found.append(Mutant(self.source, self.function.name, kind,
                                 self.tokens[first].start,
                                 self.tokens[last].end, new))

    def text(self, first, last):
        """As it is in the file."""
        return self.source.text[self.tokens[first].start:
                                self.tokens[last].end]

    def operand(self, i, step, ends):
        """The far end of what stands beside the sign at i."""
        pairs, inner = self.source.pairs, OPEN if step > 0 else CLOSE
        outer = CLOSE if step > 0 else OPEN
        k = i + step
        while self.tokens[k].text not in ends | set(outer):
            if self.tokens[k].text in inner:
                k = pairs[k]
            k += step
        return k - step

    def is_value(self, i):
        """Can a + or - behind this token have two sides?"""
        token = self.tokens[i]
        if token.text == ")":
            begin = self.source.pairs[i]
            inside = {t.text for t in self.tokens[begin + 1:i]}
            return not (inside & TYPES and self.tokens[begin - 1].text
                        not in STATIC and inside <= TYPES | {"*"})
        return (token.kind in ("word", "number") and
                token.text not in LEAVES | {"case"}) or token.text == "]"

    def statements(self):
        """Left out, or as no error."""
        function = self.function
        for st in function.statements:
            word = self.tokens[st.first].text
            if word in STATIC:
                continue
            if st.kind in ("call", "assign") or (
                    st.kind == "leave" and st is not function.final):
                self.add(st.kind, st.first, st.last, ";")
            if (word == "return" and self.tokens[st.first + 1].text == "-" and
                    re.match("E[A-Z]", self.tokens[st.first + 2].text)):
                self.add("errno", st.first, st.last, "return 0;")
        for one, two in function.neighbours:
            if self.ordered(one, two):
                self.add("swap", one.first, two.last,
                         self.text(two.first, two.last) + " " +
                         self.text(one.first, one.last))

    def words(self, statement):
        """All of its words."""
        return [t.text for t in
                self.tokens[statement.first:statement.last + 1]
                if t.kind == "word"]

    def target(self, statement):
        """What an assignment or step sets: the last word before its sign."""
        word = ""
        for token in self.tokens[statement.first:statement.last]:
            if token.text in ASSIGNS | {",", "++", "--"} and word:
                break
            if token.kind == "word":
                word = token.text
        return word

    def ordered(self, one, two):
        """May it matter which of the two comes first?"""
        if "leave" in (one.kind, two.kind):
            return False
        for a, b in ((one, two), (two, one)):
            if a.kind != "call" and self.target(a) in self.words(b):
                return True
        return all(st.kind in ("call", "assign") and
                   not self.words(st)[0].startswith("ws_stats_")
                   for st in (one, two)) and "call" in (one.kind, two.kind)

    def parts(self, i):
        """What is left out of an OR or AND, or a condition of ?:"""
        sign = self.tokens[i].text
        ends = WEAKER[sign]
        first, last = self.operand(i, -1, ends), self.operand(i, 1, ends)
        if sign == "?":
            self.add("negate", first, i - 1, f"!({self.text(first, i - 1)})")
            return
        kind = "flag" if sign == "|" else "term"
        if first > 0 and self.tokens[first - 1].text != sign:
            self.add(kind, first, i, "")
        self.add(kind, i, last, "")

    def number(self, i):
        """One more; beside a bound also one less."""
        token = self.tokens[i]
        if re.match("0[0-9]", token.text):
            return      # access rights
        value = int(token.text.rstrip("uUlL"), 0)
        beside = {self.tokens[i - 1].text, self.tokens[i + 1].text}
        hexadecimal = token.text[:2] in ("0x", "0X")
        suffix = token.text[len(token.text.rstrip("uUlL")):]
        news = [value + 1]
        if value and beside & set(SWAPS["bound"]):
            news.append(value - 1)
        for new in news:
            self.add("constant", i, i,
                     (hex(new) if hexadecimal else str(new)) + suffix)

    def skipped(self, i):
        """Behind the brackets of what has no effect when it runs."""
        if self.tokens[i].text in STATIC and self.tokens[i + 1].text == "(":
            return self.source.pairs[i + 1]
        # The size of an array.
        if (self.tokens[i].text == "[" and
                self.tokens[self.source.pairs[i] + 1].text in (";", ",", "=")
                and self.tokens[i - 2].text in TYPES):
            return self.source.pairs[i]
        return i

    def find(self):
        """All of them, in the order of the text."""
        self.statements()
        for first, last in self.function.conditions:
            self.add("negate", first, last, f"!({self.text(first, last)})")
        i = self.function.first
        while i < self.function.last:
            token = self.tokens[i]
            for kind, swap in SWAPS.items():
                if token.text in swap:
                    self.add(kind, i, i, swap[token.text])
            if token.text in "+-" and self.is_value(i - 1):
                self.add("sign", i, i, "-" if token.text == "+" else "+")
            if token.text in WEAKER:
                self.parts(i)
            if token.kind == "number":
                self.number(i)
            i = self.skipped(i) + 1
        return sorted(self.found, key=lambda m: (m.start, m.end, m.kind))


def mutants_of(name, text):
    """Of one file, whose name is that below kmod/."""
    source = Source(name, text)
    counts, found = {}, []
    for function in source.functions:
        for mutant in Finder(function).find():
            digest = hashlib.sha256(mutant.line().encode()).hexdigest()[:8]
            name = f"{source.name}:{mutant.function}:{mutant.kind}:{digest}"
            counts[name] = counts.get(name, 0) + 1
            mutant.name = f"{name}.{counts[name]}"
            found.append(mutant)
    return found


def below_kmod(path):
    """kmod/core/hdr.c is core/hdr.c."""
    path = os.path.abspath(path)
    return path.rsplit("/kmod/", 1)[1] if "/kmod/" in path else \
        os.path.basename(path)


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as source:
            found = mutants_of(below_kmod(path), source.read())
        for mutant in found:
            print(mutant.name, mutant.first, mutant.change(), sep="\t")


if __name__ == "__main__":
    main()
