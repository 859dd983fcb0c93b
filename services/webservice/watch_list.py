"""The symbols somebody watches: parsed from what a person typed or a cookie kept."""

import re
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 12
"""The broker's gateway is paced; a page asks for so many quotes at most."""
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.\-]{0,11}")


def symbol(text: str | None) -> str | None:
    """One symbol in its usual spelling, or None when it cannot be one."""
    told = (text or "").strip().upper()
    return told if _SYMBOL.fullmatch(told) else None


def parse(text: str) -> tuple[list[str], list[str]]:
    """Symbols in the order told, each once; and the words that are none."""
    found: list[str] = []
    strange: list[str] = []
    for word in re.split(r"[\s,;+]+", text.strip()):
        if not word:
            continue
        one = symbol(word)
        if one is None:
            strange.append(word[:20])
        elif one not in found:
            found.append(one)
    return found[:LONGEST], strange


def dump(symbols: Sequence[str]) -> str:
    """The same list for a cookie's value."""
    return "+".join(symbols)
