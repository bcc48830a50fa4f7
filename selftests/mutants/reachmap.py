# SPDX-License-Identifier: GPL-2.0-only
"""Which tests reach which line, kept in build/mutants/map/.

Each program's tests are run one by one on a module that counts its lines. The
module's sources name the folder, the program the file: of what has not changed
nothing is run again. Usage: reachmap.py; JOBS guests side by side.
"""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time

from guests import (BINS, KERNEL, TOP, WORK, boot, digest_of, programs,
                    sources, tests_of)
from reach import Tables

COVERAGE = os.path.join(TOP, "selftests", "coverage")


def folder():
    """Of the sources as they are now."""
    paths = list(sources(("kmod", "uapi"))) + [
        os.path.join(COVERAGE, name) for name in os.listdir(COVERAGE)
        if name.startswith("ws_cov") or name == "build"]
    return os.path.join(WORK, "map", f"{KERNEL}-{digest_of(paths)}")


def program_file(place, program, tls):
    """Where its tests are kept."""
    digest = digest_of([os.path.join(BINS, program)])
    return os.path.join(place, f"{program}{'-tls' if tls else ''}-{digest}")


def is_complete(place, program, tls):
    """Are all of its tests there that are to be used now? See SKIP."""
    path = program_file(place, program, tls)
    return os.path.exists(path) and {t.name for t in tests_of(program, tls)} \
        <= {t["name"] for t in json.loads(read(path))}


def build_module(place):
    """Returns the folder of ws.ko that counts, and notes its lines."""
    kmod = os.path.join(TOP, "build", f"coverage-{KERNEL}", "kmod")
    known = os.path.join(place, "known")
    key = os.path.join(TOP, "build", f"coverage-{KERNEL}", "key")
    if os.path.exists(key) and read(key) == place and os.path.exists(known):
        return kmod
    print("mutants: building the module that counts its lines", flush=True)
    subprocess.run([os.path.join(COVERAGE, "build"), KERNEL], check=True,
                   stdout=subprocess.DEVNULL)
    tables = Tables()
    for at, _, names in os.walk(kmod):
        for name in names:
            if name.endswith(".gcno"):
                tables.graphs(os.path.join(at, name[:-4] + "gcda"))
    os.makedirs(place, exist_ok=True)
    write(known, json.dumps(tables.known()))
    write(key, place)
    return kmod


def read(path):
    """All of it."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    """At once, or not at all."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


class Builder:
    """Runs what is missing, in guests side by side."""

    def __init__(self, place, kmod, missing):
        self.place, self.kmod = place, kmod
        self.missing = list(missing)
        self.lock = threading.Lock()
        self.begin = time.monotonic()
        self.failed = []

    def work(self, job):
        """One guest after the other, a few programs in each."""
        while True:
            with self.lock:
                group, self.missing = self.missing[:2], self.missing[2:]
            if not group:
                return
            self.run(job, group)

    def run(self, job, group):
        """The tests of some programs in one guest."""
        tests = [t for program, tls in group for t in tests_of(program, tls)]
        for test in tests:
            test.seconds = 10.0
        got = os.path.join(WORK, f"{KERNEL}-{job}", "cov.tar")
        outcome = boot(job, "map", None, tests, (
            "--add", os.path.join(self.kmod, "ws.ko") + ":/ws.ko",
            "--add", os.path.join(self.kmod, "ws_cov.ko") + ":/ws_cov.ko",
            "--get", f"/tmp/cov:{got}"))
        if outcome.status not in (0, 97) or len(outcome.ends) < len(tests):
            at = tests[max(outcome.begun - 1, 0)]
            sys.exit(f"mutants: the map: status {outcome.status} in {at}")
        counts = read_counts(got)
        by_program, tables = {}, Tables()
        for number, test in enumerate(tests, 1):
            status, seconds = outcome.ends[number]
            if status:
                self.failed.append(test)
                print(f"mutants: not used, it fails without any: {test}")
            lines = sorted(tables.reached(counts.get(number, "")))
            by_program.setdefault((test.program, test.tls), []).append(
                {"name": test.name, "seconds": round(seconds, 2),
                 "good": not status, "lines": lines})
        for (program, tls), found in by_program.items():
            write(program_file(self.place, program, tls), json.dumps(found))
        with self.lock:
            print(f"mutants: map: {time.monotonic() - self.begin:.0f} s, "
                  f"{' '.join(p + ('/tls' if t else '') for p, t in group)}: "
                  f"{len(tests)} tests; {len(self.missing)} programs to go",
                  flush=True)


def read_counts(path):
    """{number of the test: what /proc/ws_cov said}"""
    counts = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name.endswith(".gz"):
                number = int(os.path.basename(member.name)[:-3])
                data = tar.extractfile(member).read()
                with gzip.open(io.BytesIO(data), "rt") as text:
                    counts[number] = text.read()
    return counts


def load(jobs):
    """Returns (tests, {"FILE:LINE": objects}); makes what is missing."""
    place = folder()
    all_programs = programs()
    missing = [p for p in all_programs if not is_complete(place, *p)]
    if missing or not os.path.exists(os.path.join(place, "known")):
        kmod = build_module(place)
        builder = Builder(place, kmod, missing)
        threads = [threading.Thread(target=builder.work, args=(job,))
                   for job in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not all(is_complete(place, *p) for p in missing):
            sys.exit("mutants: the map is not complete")
    tests = []
    for program, tls in all_programs:
        kept = {t["name"]: t for t in
                json.loads(read(program_file(place, program, tls)))}
        for test in tests_of(program, tls):
            entry = kept.get(test.name)
            if entry and entry["good"]:
                test.seconds = entry["seconds"]
                test.reaches = set(entry["lines"])
                tests.append(test)
    return tests, json.loads(read(os.path.join(place, "known")))


if __name__ == "__main__":
    load(int(os.environ.get("JOBS", "1")))
