# SPDX-License-Identifier: MIT
"""Run tests and print TAP: python3 -m tests [MODULE...]

Unlike unittest's own runner it says how long each test took.
"""
import sys
import time
import traceback
import unittest


class Tap(unittest.TestResult):
    """Results as lines of TAP."""

    count = 0
    begin = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()

    def say(self, word, test, more=""):
        """One line."""
        self.count += 1
        name = test.id().split(".", 1)[-1]
        print(f"{word} {self.count} {name}{more} "
              f"({time.monotonic() - self.begin:.1f} s)", flush=True)

    def addSuccess(self, test):
        self.say("ok", test)

    def addSkip(self, test, reason):
        # Not TAP's word: it is not for want of something.
        self.say("ok", test, f" - not in this run: {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("not ok", test)
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print(f"# {line}", flush=True)

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(subtest, err)


def main():
    """The command line."""
    loader = unittest.TestLoader()
    names = [f"tests.{name}" for name in sys.argv[1:]]
    suite = loader.loadTestsFromNames(names) if names else loader.discover(
        "tests", top_level_dir=".")
    result = Tap()
    suite.run(result)
    for error in loader.errors:
        print(f"# {error}")
    print(f"1..{result.count}")
    return 0 if result.count and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
