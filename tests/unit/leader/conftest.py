import sys
from pathlib import Path

# Tests are imported one by one (importmode=importlib); their builders are a plain module.
sys.path.insert(0, str(Path(__file__).parent))

from faultless import contains_decisions, decisions_raise

__all__ = ["contains_decisions", "decisions_raise"]
