# SPDX-License-Identifier: MIT
"""The constants are those of uapi/linux/ws.h."""
import pathlib
import struct
import subprocess
import sys
import unittest

from kws import _uapi

TOOL = pathlib.Path(__file__).resolve().parents[3] / "userspace/tools/constants"


class Constants(unittest.TestCase):
    """Skipped only where the package is installed without its tree."""

    @unittest.skipUnless(TOOL.exists(), "not in the tree of kWS")
    def test_generated_file_is_what_the_header_says(self):
        done = subprocess.run([sys.executable, TOOL, "python", "--check"],
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_known_values(self):
        self.assertEqual(_uapi.SOL_WS, 0x5753)
        self.assertEqual(_uapi.WS_MAX_MESSAGE_NONE, (1 << 64) - 1)
        self.assertEqual(_uapi.WS_MAX_MESSAGE_DEFAULT, 64 << 20)
        self.assertEqual(_uapi.WS_RULE_UTF8, 13)

    def test_sizes_of_structures(self):
        sizes = [struct.calcsize(form) for form in (
            _uapi.WS_MSG_FORMAT, _uapi.WS_CONFIG_FORMAT, _uapi.WS_INFO_FORMAT)]
        self.assertEqual(sizes, [8, 40, 96])
