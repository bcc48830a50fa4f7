# SPDX-License-Identifier: GPL-2.0-only
"""A built copy of the module, in which one file at a time is mutated.

Kbuild takes seconds to find out what is to be done: the commands that it has
left beside the objects are run again instead.
"""

import os
import re
import subprocess

from guests import HERE, KERNEL, TOP, WORK


def command_of(path):
    """What made this object, from kbuild's .OBJECT.cmd; None without."""
    folder, name = os.path.split(path)
    try:
        with open(os.path.join(folder, f".{name}.cmd"),
                  encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None, ""
    found = re.match(r"^(?:saved)?cmd_\S+ := (.*)$", text, re.M)
    return found.group(1).replace("$$", "$").replace("\\#", "#"), text


class Tree:
    """The copy of one job."""

    def __init__(self, job):
        self.dir = os.path.join(WORK, f"tree-{KERNEL}-{job}")
        self.kmod = os.path.join(self.dir, "kmod")
        self.objects = {}       # name of the object: its command
        self.users = {}         # name of a source: objects made of it
        self.kbuild = os.path.join(TOP, "build", "cache", "kernel", KERNEL,
                                   "build")

    def build(self):
        """Everything that has changed, by kbuild."""
        subprocess.run([os.path.join(HERE, "build"), self.dir], check=True,
                       env={**os.environ, "KERNEL": KERNEL})
        for place, _, names in os.walk(self.kmod):
            for name in names:
                path = os.path.join(place, name)
                below = os.path.relpath(path, self.kmod)
                if name.endswith(".o") and below not in ("ws.o", "ws.mod.o"):
                    self.note(path, below)

    def note(self, path, below):
        """Remembers how an object is made, and of what."""
        command, text = command_of(path)
        if not command or not os.path.exists(path[:-1] + "c"):
            return
        self.objects[below] = command
        for word in set(re.findall(r"\S+", text)):
            if word.startswith(self.kmod + "/"):
                name = os.path.relpath(word, self.kmod)
                self.users.setdefault(name, set()).add(below)

    def run(self, command):
        """By the kernel's folder; False when it fails."""
        return subprocess.run(["sh", "-c", command], cwd=self.kbuild,
                              check=False, stdin=subprocess.DEVNULL,
                              capture_output=True).returncode == 0

    def try_mutant(self, mutant, objects=None):
        """Returns "does not compile", "same code" or the path of ws.ko."""
        name = mutant.source.name
        path = os.path.join(self.kmod, name)
        users = self.users.get(name, set())
        users = sorted(users & objects if objects else users)
        kept = {path: read(path)}
        for user in users + ["ws.o", "ws.ko"]:
            kept[os.path.join(self.kmod, user)] = read(
                os.path.join(self.kmod, user))
        times = {p: os.stat(p).st_mtime_ns for p in kept}
        try:
            write(path, mutant.apply().encode())
            return self.make(users, kept)
        finally:
            for place, content in kept.items():
                write(place, content)
                os.utime(place, ns=(times[place], times[place]))

    def make(self, users, kept):
        """The objects, and ws.ko when one of them is another."""
        same = True
        for user in users:
            path = os.path.join(self.kmod, user)
            if not self.run(self.objects[user]):
                return "does not compile"
            same = same and read(path) == kept[path]
        if same:
            return "same code"
        module = os.path.join(self.dir, "mutant.ko")
        for name in ("ws.o", "ws.ko"):
            command, _ = command_of(os.path.join(self.kmod, name))
            if not self.run(command):
                return "does not compile"
        os.replace(os.path.join(self.kmod, "ws.ko"), module)
        return module


def read(path):
    """All bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    """The same."""
    with open(path, "wb") as file:
        file.write(content)
