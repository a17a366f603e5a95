# SPDX-License-Identifier: Apache-2.0
"""Imported before what tests share: a test that is started alone, by its name, finds tests/support too."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
