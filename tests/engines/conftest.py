"""Clusters whose machines run different engines; the helpers are those of tests/lab."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))
