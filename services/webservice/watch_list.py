"""Parses a visitor's watch list from a form or a cookie."""

import re
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 12
"""The maximum number of symbols. Requests for quotes are limited."""
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.\-]{0,11}")


def symbol(text: str | None) -> str | None:
    """Return a symbol in upper case, or None if the text is not a symbol."""
    spelling = (text or "").strip().upper()
    return spelling if _SYMBOL.fullmatch(spelling) else None


def parse(text: str) -> tuple[list[str], list[str]]:
    """Return the symbols in order, without duplicates, and a list of words that are not symbols."""
    symbols: list[str] = []
    rejected: list[str] = []
    for word in re.split(r"[\s,;+]+", text.strip()):
        if not word:
            continue
        parsed = symbol(word)
        if parsed is None:
            rejected.append(word[:20])
        elif parsed not in symbols:
            symbols.append(parsed)
    return symbols[:LONGEST], rejected


def dump(symbols: Sequence[str]) -> str:
    """Return the watch list as text for its cookie."""
    return "+".join(symbols)
