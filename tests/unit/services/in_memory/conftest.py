import sys
from pathlib import Path

# Tests are imported one by one (importmode=importlib); what they share are plain modules.
sys.path.insert(0, str(Path(__file__).parent))
