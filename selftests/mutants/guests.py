# SPDX-License-Identifier: GPL-2.0-only
"""Tests, and guests that run them one by one (see the script "guest")."""

import hashlib
import os
import re
import signal
import subprocess
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
HERE = os.path.join(TOP, "selftests", "mutants")
BINS = os.path.join(TOP, "build", "selftests", "bin")
WORK = os.path.join(TOP, "build", "mutants")
KERNEL = os.environ.get("KERNEL", "uml")
MODULES = ("smc tls gcm ctr ghash-generic chacha20poly1305 chacha_generic "
           "poly1305_generic chacha veth sch_netem")

# Not of kselftest_harness.h: one test.
WHOLE = {"ws_fuzz"}


class Test:
    """One test of one program, with kTLS below or not."""

    def __init__(self, program, tls, name):
        self.program, self.tls, self.name = program, tls, name
        self.seconds = 0.0      # on an idle machine
        self.reaches = set()    # "FILE:LINE"

    def __str__(self):
        tls = f" tls={self.tls}" if self.tls else ""
        return f"{self.program}{tls} -r {self.name}"

    def limit(self):
        """Seconds after which it hangs; end_hang knows of busy machines."""
        slower = 6 if KERNEL == "uml-kasan" else 1
        return slower * (5 + int(10 * self.seconds))


def tests_of(program, tls):
    """What "PROGRAM -l" says: columns, which long names shift."""
    if program in WHOLE:
        return [Test(program, tls, "-")]
    text = subprocess.run([os.path.join(BINS, program), "-l"], check=False,
                          capture_output=True, text=True).stderr
    fixtures = []
    for line in text.splitlines():
        if line.startswith("#") or line.startswith("----"):
            continue
        if not line.startswith(" "):
            fixture = line.split()[0]
            fixtures.append((fixture, [], []))
            line = line[max(20, len(fixture)):]
        else:
            line = line[20:]
        words = line[1:].split()
        if words and not line[1:].startswith(" "):
            fixtures[-1][1].append(words.pop(0))
        fixtures[-1][2].extend(words)
    tests = [Test(program, tls, ".".join(filter(None, parts)))
             for fixture, variants, names in fixtures
             for variant in variants or [""] for name in names
             for parts in [(fixture, variant, name)]]
    skip = os.environ.get("SKIP")
    return [t for t in tests if not skip or not re.search(skip, str(t))]


def programs():
    """[(program, tls)]: all of the lists of make check, or of PROGRAMS."""
    only = os.environ.get("PROGRAMS", "").split()
    with open(os.path.join(TOP, "build", "selftests", "list"),
              encoding="ascii") as lines:
        plain = [line.split()[0] for line in lines if line.strip()]
    with open(os.path.join(TOP, "selftests", "vm", "kselftest-tls"),
              encoding="utf-8") as script:
        tls = [name for group in
               re.findall(r'^PROGRAMS\+?="([^"]*)"', script.read(), re.M)
               for name in group.split()]
    plain = [name for name in plain if not only or name in only]
    if os.environ.get("TLS") == "0":
        tls = []
    return ([(name, "") for name in plain] +
            [(name, "1.3") for name in tls if name in plain])


def digest_of(paths):
    """Of the contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(os.path.relpath(path, TOP).encode())
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def sources(folders=("kmod",)):
    """The files that make the module."""
    for folder in folders:
        for place, _, names in os.walk(os.path.join(TOP, folder)):
            for name in names:
                if (name.endswith((".c", ".h", ".mk")) or name == "Kbuild") \
                        and not name.endswith(".mod.c"):
                    yield os.path.join(place, name)


class Outcome:
    """What a guest said: ends of tests, and how it ended itself."""

    def __init__(self):
        self.begun = 0          # number of the last test, from 1
        self.ends = {}          # number: (status, seconds)
        self.noticed = None     # number
        self.flaky = []
        self.held = False
        self.said = []
        self.status = 0

    def line(self, line):
        """One line of the guest's output."""
        word = line.split()
        if not word or not line.startswith("@"):
            return
        if word[0] == "@begin":
            self.begun = int(word[1])
        elif word[0] == "@end" and len(word) == 5:
            self.ends[int(word[1])] = (int(word[2]),
                                       float(word[4]) - float(word[3]))
        elif word[0] == "@noticed":
            self.noticed = int(word[1])
        elif word[0] == "@flaky":
            self.flaky.append(int(word[1]))
        elif word[0] == "@held":
            self.held = True
        elif word[0] == "@|":
            self.said.append(line[3:])


# What "run" says with its status, for tests that all passed.
STATUS = {95: "boot", 96: "insmod or rmmod", 97: "kernel log",
          98: "the guest died", 124: "the guest hung"}


def descendants(pid):
    """The processes that it has started, and those that they have."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii",
                      errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


class Watch:
    """Ends a guest whose kernel hangs, which end_hang cannot."""

    def __init__(self, tests):
        self.tests, self.timer, self.hung = tests, None, False
        self.known = set()

    def stop(self):
        """No test runs."""
        if self.timer:
            self.timer.cancel()

    def line(self, line, guest):
        """A test begins, or begins again."""
        word = line.split()
        if len(word) < 2 or word[0] not in ("@begin", "@end"):
            return
        self.stop()
        # "run" may have given up by then, and its guest has no parent.
        self.known = self.known or set(descendants(guest.pid))
        limit = self.tests[int(word[1]) - 1].limit()
        self.timer = threading.Timer(2 * limit + 20, self.kill, (guest,))
        self.timer.start()

    def kill(self, guest):
        """The guest, not "run", which then ends by itself."""
        self.hung = True
        for pid in self.known | set(descendants(guest.pid)):
            try:
                place = os.readlink(f"/proc/{pid}/cwd")
                if place.startswith(os.path.join(TOP, "build", "run.")):
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


def boot(job, mode, module, tests, extra=()):
    """Runs tests in a guest of its own; returns what came of it."""
    folder = os.path.join(WORK, f"{KERNEL}-{job}")
    os.makedirs(folder, exist_ok=True)
    todo = os.path.join(folder, "todo")
    with open(todo, "w", encoding="ascii") as file:
        for test in tests:
            file.write(f"{test.limit()} {test.tls or '-'} {test.program} "
                       f"{test.name}\n")
    longest = max((test.limit() for test in tests), default=10)
    load = ["--no-module"] if mode == "map" else ["--module", module]
    before = "insmod /ws_cov.ko && insmod /ws.ko && " if mode == "map" else ""
    command = [os.path.join(TOP, "selftests", "vm", "run"),
               "--kernel", KERNEL, "--mem", "2048", "--modules", MODULES,
               "--timeout", str(longest + 15),
               "--log", os.path.join(folder, "log"),
               "--cpio", os.path.join(WORK, "tests.cpio"),
               "--add", f"{todo}:/todo",
               *load, *extra, "--", f"{before}sh /guest {mode}"]
    outcome, watch = Outcome(), Watch(tests)
    lane = str(job + int(os.environ.get("KWS_LANE", "0")))
    with open(os.path.join(folder, "err"), "wb") as err:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err,
                              text=True, errors="replace",
                              env={**os.environ, "KWS_LANE": lane}) as guest:
            for line in guest.stdout:
                outcome.line(line)
                watch.line(line, guest)
        watch.stop()
        outcome.status = 124 if watch.hung else guest.returncode
    return outcome
