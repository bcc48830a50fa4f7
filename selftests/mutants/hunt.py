# SPDX-License-Identifier: GPL-2.0-only
"""Do the tests notice? One mutant of the module at a time; see "run".

Writes build/mutants/result.tsv, a line for each mutant as soon as it is judged.
"""

import glob
import hashlib
import json
import os
import sys
import threading
import time

import reachmap
from guests import HERE, KERNEL, STATUS, TOP, WORK, boot
from mutate import below_kmod, mutants_of
from tree import Tree

COLUMNS = ("verdict", "file", "line", "function", "kind", "change", "tests",
           "noticed by", "seconds", "name")
VERDICTS = ("same code", "does not compile", "noticed", "survived",
            "explained")


def setting(name, default):
    """A number of the environment."""
    return int(os.environ.get(name) or default)


def all_mutants():
    """Of all files: FILES and MUTANT say which of them are run."""
    found = []
    for path in sorted(glob.glob(os.path.join(TOP, "kmod", "*.[ch]")) +
                       glob.glob(os.path.join(TOP, "kmod", "core", "*.[ch]"))):
        if not path.endswith(".mod.c"):
            with open(path, encoding="utf-8") as file:
                found += mutants_of(below_kmod(path), file.read())
    return found


def chosen(mutants):
    """N of each of FILES, by SEED, or those that MUTANT names.

    By their names, so that a change elsewhere leaves the sample as it is."""
    names = os.environ.get("MUTANT", "").split()
    if names:
        return [m for m in mutants if m.name in names]
    files = [below_kmod(f) if "/kmod/" in f else f.removeprefix("kmod/")
             for f in os.environ.get("FILES", "").split()]
    known = {m.source.name for m in mutants}
    for name in files:
        if name not in known:
            sys.exit(f"mutants: there are none of {name}")
    seed, ranks = os.environ.get("SEED", "1"), {}

    def rank(mutant):
        return hashlib.sha256(f"{seed} {mutant.name}".encode()).digest()

    picked = []
    for mutant in sorted(mutants, key=rank):
        name = mutant.source.name
        if files and name not in files:
            continue
        ranks[name] = ranks.get(name, 0) + 1
        if ranks[name] <= setting("N", 1 << 30):
            picked.append((ranks[name], mutant))
    # One of each file, then the second of each.
    return [mutant for _, mutant in sorted(picked, key=lambda p: p[0])]


def without_file(mutant):
    """Its name, and that of all of the kind: functions may move."""
    name = mutant.name.split(":", 1)[1]
    return name, name.rsplit(":", 1)[0] + ":*"


class Explained:
    """Survivors that change nothing that can be seen, and why."""

    def __init__(self):
        self.names = {}
        with open(os.path.join(HERE, "explained"), encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    name, why = line.rstrip("\n").split("\t")
                    self.names[name] = why
        self.lines = {}
        with open(os.path.join(reachmap.COVERAGE, "explained"),
                  encoding="utf-8") as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    place, text, why = line.rstrip("\n").split("\t")
                    self.lines[place, text] = why

    def find(self, mutant, reached):
        """Why it may survive, or None."""
        for name in without_file(mutant):
            if name in self.names:
                return self.names[name]
        place = f"{mutant.source.name}:{mutant.function}"
        for text in (mutant.line(), "*"):
            if not reached and (place, text) in self.lines:
                return self.lines[place, text]
        return None

    def stale(self, mutants):
        """Those that explain nothing any more."""
        names = {name for m in mutants for name in without_file(m)}
        return [name for name in self.names if name not in names]


class Hunt:
    """All that the jobs share."""

    def __init__(self, mutants):
        self.jobs = setting("JOBS", 1)
        self.limit = setting("LIMIT", 60)
        self.mutants, self.next = mutants, 0
        self.lock = threading.Lock()
        self.explained = Explained()
        self.tests, self.known = reachmap.load(self.jobs)
        self.by_line = {}
        for test in self.tests:
            for line in test.reaches:
                self.by_line.setdefault(line, []).append(test)
        self.rows = []
        os.makedirs(WORK, exist_ok=True)
        path = os.path.join(WORK, "result.tsv")
        self.result = open(path, "w", encoding="utf-8", buffering=1)
        print(*COLUMNS, sep="\t", file=self.result)

    def reaching(self, mutant):
        """Tests that reach it, the cheapest first."""
        name, tests = mutant.source.name, set()
        lines = range(mutant.first, mutant.last + 1)
        if not any(f"{name}:{n}" in self.known for n in lines):
            # In the middle of a statement, or what is no code by itself.
            lines = range(mutant.first, mutant.first - 8, -1)
            lines = [n for n in lines if f"{name}:{n}" in self.known][:1]
        for number in lines:
            tests.update(self.by_line.get(f"{name}:{number}", ()))
        return sorted(tests, key=lambda t: (t.seconds, t.program, t.name))

    def affordable(self, tests):
        """As many as take LIMIT seconds, but three at least."""
        total, first = 0.0, []
        for test in tests:
            total += test.seconds + 0.02
            if total > self.limit and len(first) >= 3:
                break
            first.append(test)
        return first

    def baseline(self, trees):
        """Drops tests that fail without a mutant; asks once for each."""
        path = os.path.join(reachmap.folder(), "baseline")
        good = json.loads(reachmap.read(path)) if os.path.exists(path) else {}
        wanted = {t for m in self.mutants
                  for t in self.affordable(self.reaching(m))}
        asked = [t for t in self.tests if t in wanted and str(t) not in good]
        if asked:
            print(f"mutants: {len(asked)} tests without a mutant, "
                  f"{sum(t.seconds for t in asked) / len(trees):.0f} s",
                  flush=True)

        def work(job, part):
            module = os.path.join(trees[job].kmod, "ws.ko")
            outcome = boot(job, "all", module, part)
            for number, test in enumerate(part, 1):
                status = outcome.ends.get(number, (1, 0))[0]
                good[str(test)] = status == 0
            if outcome.status or len(outcome.ends) < len(part):
                print("mutants: without a mutant: "
                      f"{STATUS.get(outcome.status, outcome.status)}")

        run_threads(work, [(job, asked[job::len(trees)])
                           for job in range(len(trees)) if asked[job:]])
        reachmap.write(path, json.dumps(good))
        bad = {t for t in self.tests if not good.get(str(t), True)}
        for test in sorted(bad, key=str):
            print(f"mutants: not used, it fails without any: {test}")
        for tests in self.by_line.values():
            tests[:] = [t for t in tests if t not in bad]

    def judge(self, tree, job, mutant):
        """Returns verdict, tests run of all, and what noticed it."""
        tests = self.reaching(mutant)
        first = self.affordable(tests)
        objects = {o for n in range(mutant.first, mutant.last + 1)
                   for o in self.known.get(f"{mutant.source.name}:{n}", ())}
        module = tree.try_mutant(mutant, objects)
        if not module.endswith(".ko"):
            return module, "", ""
        if not first:
            return "survived", "0", ""
        outcome = boot(job, "hunt", module, first)
        if outcome.status == 95:
            outcome = boot(job, "hunt", module, first)
        ran = f"{len(outcome.ends)} of {len(tests)}"
        if outcome.noticed:
            return "noticed", ran, str(first[outcome.noticed - 1])
        if outcome.held:
            return "noticed", ran, "the module cannot be unloaded"
        if outcome.status:
            at = first[max(outcome.begun - 1, 0)]
            why = STATUS.get(outcome.status, f"status {outcome.status}")
            return "noticed", ran, f"{why}; last: {at}"
        return "survived", ran, ""

    def work(self, job, tree):
        """One mutant after the other."""
        while True:
            with self.lock:
                if self.next == len(self.mutants):
                    return
                number, mutant = self.next, self.mutants[self.next]
                self.next += 1
            begin = time.monotonic()
            verdict, ran, noticed = self.judge(tree, job, mutant)
            if verdict == "survived" and self.explained.find(
                    mutant, ran != "0"):
                verdict = "explained"
            row = (verdict, mutant.source.name, mutant.first, mutant.function,
                   mutant.kind, mutant.change(), ran, noticed,
                   f"{time.monotonic() - begin:.1f}", mutant.name)
            with self.lock:
                self.rows.append(row)
                print(*row, sep="\t", file=self.result)
                print(f"[{number + 1}/{len(self.mutants)}] {verdict}: "
                      f"{row[1]}:{row[2]} {mutant.kind}"
                      f"{', ' + noticed if noticed else ''} ({row[8]} s)",
                      flush=True)

    def report(self, mutants):
        """Survivors, stale explanations, and a table."""
        for row in sorted(self.rows, key=lambda r: (r[1], r[2])):
            if row[0] == "survived":
                print(f"\nsurvived: {row[1]}:{row[2]} {row[3]}(), {row[4]}, "
                      f"{row[6]} tests\n    {row[5]}\n    {row[9]}")
        for name in self.explained.stale(mutants):
            print(f"no longer to be explained: {name}")
        files = {}
        for row in self.rows:
            for name in (row[1], "~all"):
                entry = files.setdefault(name, dict.fromkeys(VERDICTS, 0))
                entry[row[0]] += 1
        print(f"\n{'file':<20} {'mutants':>8} {'same':>6} {'no code':>8} "
              f"{'noticed':>8} {'survived':>9} {'explained':>10} {'score':>7}")
        for name, entry in sorted(files.items()):
            judged = entry["noticed"] + entry["survived"]
            score = f"{100 * entry['noticed'] / judged:.0f} %" if judged else ""
            print(f"{name.strip('~'):<20} {sum(entry.values()):>8} "
                  f"{entry['same code']:>6} {entry['does not compile']:>8} "
                  f"{entry['noticed']:>8} {entry['survived']:>9} "
                  f"{entry['explained']:>10} {score:>7}")


def run_threads(function, arguments):
    """One for each tuple; an exception in one of them is ours."""
    failed = []

    def guarded(*args):
        try:
            function(*args)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=args)
               for args in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(f"mutants: {failed[0]}")


def main():
    mutants = all_mutants()
    picked = chosen(mutants)
    if not picked:
        sys.exit("mutants: there are none of this name")
    hunt = Hunt(picked)
    trees = [Tree(job) for job in range(hunt.jobs)]
    for tree in trees:
        tree.build()
    hunt.baseline(trees)
    print(f"mutants: {len(picked)} of {len(mutants)}, "
          f"seed {os.environ.get('SEED', '1')}, Linux {KERNEL}", flush=True)
    run_threads(hunt.work, list(enumerate(trees)))
    hunt.report(mutants)


if __name__ == "__main__":
    main()
