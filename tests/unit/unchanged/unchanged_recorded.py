"""Compares results with the files in `recorded/`, which were made by the code of commit 1b511bb.

These files are a contract with scripts, older agents and the labels of running swarms. Never change
a line of them to make a test pass.
"""

import difflib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"

SENTENCES = {
    "reason": "why the leader decided something, answered a request or has its stance",
    "waits_for": "what a leaving node or a rebalance waits for",
    "hindrance": "why a service is not rebalanced",
    "problem": "why the daemon cannot do its work",
    "warnings": "what an operator should know about a plan: a list of sentences",
}
"""Fields written for people: whether there is a sentence is compared, its words are not."""
ADDED = {"is_job", "still_running", "stranded"}
"""Fields that were added since; scripts that read the others do not notice them."""
_LINES_SHOWN = 60
_FATES = "why"
"""In a row with a `fate` this is a sentence; in a node's row it is a word, which is compared."""
_FAILED = "failed: "
"""The outcome of a failed decision begins like this; a sentence follows."""


def check(name: str, done: Any, *, but: Callable[[Any], Any] | None = None) -> None:
    """Assert that this equals the recorded file of this name, including the order of keys.

    `but` removes from both what has been changed on purpose.
    """
    recorded = (RECORDED / f"{name}.json").read_text()
    if but is not None:
        done, recorded = but(done), _text(but(json.loads(recorded)))
    text = _text(masked(done))
    if text != recorded:
        lines = difflib.unified_diff(
            recorded.splitlines(), text.splitlines(), f"recorded/{name}.json", "now", lineterm=""
        )
        raise AssertionError("\n".join(itertools.islice(lines, _LINES_SHOWN)))


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def check_kept(name: str, now: Any) -> None:
    """Assert that this has everything in the recorded file of this name; it may have more."""
    _check_kept(json.loads((RECORDED / f"{name}.json").read_text()), _plain(now), name)


def _check_kept(recorded: Any, now: Any, where: str) -> None:
    if isinstance(recorded, dict):
        for key, part in recorded.items():
            assert key in now, f"{where}: {key} is gone"
            _check_kept(part, now[key], f"{where}: {key}")
    elif isinstance(recorded, list):
        for part in recorded:
            assert part in now, f"{where}: {part} is gone"
    else:
        assert now == recorded, where


def _plain(value: Any) -> Any:
    """The value after a round trip through JSON."""
    return json.loads(json.dumps(value))


def masked(value: Any) -> Any:
    """A copy with every sentence replaced by a mark."""
    if isinstance(value, dict):
        return {
            key: _mark(part) if _is_sentence(key, value) else masked(part)
            for key, part in value.items()
            if key not in ADDED
        }
    if isinstance(value, list | tuple):
        return [masked(part) for part in value]
    if isinstance(value, str) and value.startswith(_FAILED):
        return f"{_FAILED}<sentence>"
    return value


def _is_sentence(key: str, table: dict[str, Any]) -> bool:
    return key in SENTENCES or (key == _FATES and "fate" in table)


def _mark(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_mark(part) for part in value]
    return "<sentence>" if isinstance(value, str) and value else value
