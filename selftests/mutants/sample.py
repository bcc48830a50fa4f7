# SPDX-License-Identifier: GPL-2.0-only
"""The mutants of the file "sample", as modules that one make builds together.

Usage: sample.py FOLDER     puts their sources there
       sample.py --tests    a line for each: NUMBER PROGRAM TEST
       sample.py --names    a line for each: what is wrong

A module has the objects of the others but for the one that is mutated, so that
all of them take little longer than one.
"""

import os
import sys

from guests import HERE, TOP, sources


class Mutant:
    """A paragraph of the file."""

    def __init__(self, name):
        self.name, self.file, self.test = name, "", ""
        self.old, self.new = [], []

    def apply(self, text):
        """Fails when the text is not there, or twice."""
        old, new = "\n".join(self.old), "\n".join(self.new)
        # Whole lines, whatever is before and behind them.
        if f"\n{text}\n".count(f"\n{old}\n") != 1:
            sys.exit(f"sample: {self.file} does not have once what is to be "
                     f"changed for: {self.name}\n{old}")
        return f"\n{text}\n".replace(f"\n{old}\n", f"\n{new}\n")[1:-1]


def read_sample():
    """All of them."""
    found = []
    with open(os.path.join(HERE, "sample"), encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("* "):
                found.append(Mutant(line[2:]))
            elif line.startswith("file "):
                found[-1].file = line[5:]
            elif line.startswith("test "):
                found[-1].test = line[5:]
            elif line.startswith("-"):
                found[-1].old.append(line[1:])
            elif line.startswith("+"):
                found[-1].new.append(line[1:])
            elif line and not line.startswith("#"):
                sys.exit(f"sample: not understood: {line}")
    return found


def write_changed(path, text):
    """Only then is it compiled again."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def write_tree(folder):
    """The sources, those that are mutated, and what to make of them."""
    wanted = set()
    for path in list(sources(("kmod", "uapi"))) + [os.path.join(TOP, "Kbuild")]:
        below = os.path.relpath(path, TOP)
        with open(path, encoding="utf-8") as file:
            write_changed(os.path.join(folder, below), file.read())
        wanted.add(below)
    kbuild = ["", "sample_objs := $(ws-y)"]
    for number, mutant in enumerate(read_sample(), 1):
        with open(os.path.join(TOP, "kmod", mutant.file),
                  encoding="utf-8") as file:
            text = mutant.apply(file.read())
        place, name = os.path.split(mutant.file)
        below = os.path.join("kmod", place, f"mutant{number}_{name}")
        write_changed(os.path.join(folder, below), text)
        wanted.add(below)
        kbuild += [f"obj-m += mutant{number}.o",
                   f"mutant{number}-y := $(filter-out {mutant.file[:-1]}o,"
                   f"$(sample_objs)) "
                   f"{os.path.relpath(below[:-1] + 'o', 'kmod')}"]
    path = os.path.join(folder, "kmod", "Kbuild")
    with open(os.path.join(TOP, "kmod", "Kbuild"), encoding="utf-8") as file:
        write_changed(path, file.read() + "\n".join(kbuild) + "\n")
    for at, _, names in os.walk(folder):
        for name in names:
            below = os.path.relpath(os.path.join(at, name), folder)
            if name.endswith((".c", ".h")) and not name.endswith(".mod.c") \
                    and below not in wanted:
                os.remove(os.path.join(folder, below))


def main():
    if sys.argv[1] == "--names":
        for mutant in read_sample():
            print(mutant.name)
    elif sys.argv[1] == "--tests":
        for number, mutant in enumerate(read_sample(), 1):
            print(number, *mutant.test.split(" -r "))
    else:
        write_tree(sys.argv[1])


if __name__ == "__main__":
    main()
