# SPDX-License-Identifier: GPL-2.0-only
"""Enough of C to find functions, statements and conditions in kernel code.

Not a compiler: macros are words, and what is inside #define is left alone.
"""

import re

TOKEN = re.compile(r"""
    (?P<space>\s+ | //[^\n]* | /\*.*?\*/ | ^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<text>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])+')
  | (?P<word>[A-Za-z_]\w*)
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]* | \d+[uUlL]*)
  | (?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.S | re.M | re.X)

OPEN = {"(": ")", "[": "]", "{": "}"}
CLOSE = set(OPEN.values())
TYPES = set("""auto const static register volatile unsigned signed void char
short int long bool struct union enum size_t ssize_t loff_t u8 u16 u32 u64 s8
s16 s32 s64 __be16 __be32 __be64 __le16 __le32 __le64 __wsum __poll_t gfp_t
typeof ktime_t""".split())
LEAVES = {"return", "goto", "break", "continue"}
ASSIGNS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


class Token:
    """A word, number or sign, and where it is in the text."""

    def __init__(self, kind, text, start):
        self.kind, self.text = kind, text
        self.start, self.end = start, start + len(text)


def tokens_of(text):
    """All tokens but blanks, comments and preprocessor lines."""
    return [Token(m.lastgroup, m.group(), m.start())
            for m in TOKEN.finditer(text) if m.lastgroup != "space"]


def pairs_of(tokens):
    """{index of a bracket: index of its other half}"""
    stack, pairs = [], {}
    for i, token in enumerate(tokens):
        if token.text in OPEN:
            stack.append(i)
        elif token.text in CLOSE and stack:
            begin = stack.pop()
            pairs[begin], pairs[i] = i, begin
    return pairs


class Statement:
    """Tokens first to last; kind is call, assign, leave, step or other."""

    def __init__(self, kind, first, last):
        self.kind, self.first, self.last = kind, first, last


class Function:
    """The body of a function: tokens first to last are its braces."""

    def __init__(self, source, name, first, last):
        self.source, self.name = source, name
        self.first, self.last = first, last
        self.statements = []    # simple ones
        self.conditions = []    # (first, last)
        self.neighbours = []    # (Statement, Statement)
        self.final = None       # the statement before the closing brace
        try:
            self.block(first)
        except (IndexError, KeyError):
            # Braces that depend on the preprocessor.
            self.neighbours = []

    def word(self, i):
        """The text of a token."""
        return self.source.tokens[i].text

    def block(self, i):
        """From its opening brace; returns what is behind it."""
        end, siblings = self.source.pairs[i], []
        i += 1
        while i < end:
            i = self.statement(i, siblings)
        for one, two in zip(siblings, siblings[1:]):
            if one and two:
                self.neighbours.append((one, two))
        self.final = siblings[-1] if siblings else None
        return end + 1

    def condition(self, i, loop=False):
        """In brackets, which begin at i; returns what is behind them."""
        end = self.source.pairs[i]
        first, last = i + 1, end - 1
        if loop:
            ends = [k for k in range(i + 1, end) if self.word(k) == ";"]
            first, last = ends[0] + 1, ends[1] - 1
        if first <= last:
            self.conditions.append((first, last))
        return end + 1

    def statement(self, i, siblings):
        """One of any kind; returns what is behind it."""
        word, pairs = self.word(i), self.source.pairs
        follows = self.word(i + 1)
        if word == "{":
            siblings.append(None)
            return self.block(i)
        if word == "if":
            i = self.statement(self.condition(i + 1), [])
            if self.word(i) == "else":
                i = self.statement(i + 1, [])
        elif word == "while":
            i = self.statement(self.condition(i + 1), [])
        elif word == "for":
            i = self.statement(self.condition(i + 1, True), [])
        elif word == "switch":
            i = self.statement(pairs[i + 1] + 1, [])
        elif word == "do":
            i = self.statement(i + 1, [])
            i = self.condition(i + 1) + 1
        elif word in ("case", "default"):
            while self.word(i) != ":":
                i += 1
            i += 1
        elif self.source.tokens[i].kind == "word" and follows == ":":
            i += 2
        elif (follows == "(" and word not in LEAVES and
              (self.word(pairs[i + 1] + 1) == "{" or
               self.source.tokens[pairs[i + 1] + 1].kind == "word")):
            # A macro that is a loop.
            i = self.statement(pairs[i + 1] + 1, [])
        else:
            return self.simple(i, siblings)
        siblings.append(None)
        return i

    def simple(self, i, siblings):
        """Up to its semicolon."""
        first, signs = i, []
        while self.word(i) != ";":
            signs.append(self.word(i))
            i = self.source.pairs[i] if self.word(i) in OPEN else i
            i += 1
        made = None
        if first < i and not self.declares(first):
            made = Statement(self.kind_of(first, signs), first, i)
            self.statements.append(made)
        siblings.append(made)
        return i + 1

    def declares(self, i):
        """Does a declaration begin here?"""
        kinds = [t.kind for t in self.source.tokens[i:i + 3]]
        return self.word(i) in TYPES or (self.word(i) not in LEAVES and (
            kinds[:2] == ["word", "word"] or
            (kinds[0] == "word" and self.word(i + 1) == "*" and
             kinds[2] == "word")))

    def kind_of(self, i, signs):
        """signs: the tokens outside of brackets."""
        if self.word(i) in LEAVES:
            return "leave"
        if self.word(i) == "WRITE_ONCE" or ASSIGNS & set(signs):
            return "assign"
        if "++" in signs or "--" in signs:
            return "step"
        return "call" if signs[-1] == "(" else "other"


class Source:
    """A file: its text, tokens and functions."""

    def __init__(self, name, text):
        self.name, self.text = name, text
        self.tokens = tokens_of(text)
        self.pairs = pairs_of(self.tokens)
        self.functions = list(self.find_functions())
        self.starts = [m.end() for m in re.finditer("^|\n", text)]

    def find_functions(self):
        """Braces behind a closing bracket, outside of all others."""
        i = begin = 0
        while i < len(self.tokens):
            word = self.tokens[i].text
            if word == "{" and i in self.pairs:
                name = self.name_in(begin, i)
                if name and self.tokens[i - 1].text == ")":
                    yield Function(self, name, i, self.pairs[i])
                i = self.pairs[i]
                begin = i + 1
            elif word == ";":
                begin = i + 1
            elif word in OPEN and i in self.pairs:
                i = self.pairs[i]
            i += 1

    def name_in(self, begin, end):
        """The first word before a bracket that is not an attribute."""
        for i in range(begin, end - 1):
            if (self.tokens[i].kind == "word" and
                    self.tokens[i + 1].text == "(" and
                    not self.tokens[i].text.startswith("__")):
                return self.tokens[i].text
        return None

    def line_of(self, position):
        """Counted from 1."""
        return self.text.count("\n", 0, position) + 1

    def lines(self, start, end):
        """The whole lines around a place, on one line."""
        begin = self.text.rfind("\n", 0, start) + 1
        behind = self.text.find("\n", end)
        return begin, behind if behind >= 0 else len(self.text)
