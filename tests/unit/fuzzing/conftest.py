import sys
from pathlib import Path

# The leader's tests build nodes and services with plain modules.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "leader")]

from faultless import contains_decisions, decisions_raise  # noqa: E402

__all__ = ["contains_decisions", "decisions_raise"]
