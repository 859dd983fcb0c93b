"""Durations as people write them: `90s`, `2m`, `1m30s`, `120` for seconds."""

import re
from typing import Final

_UNITS: Final = {"h": 3600, "m": 60, "s": 1}
_WRITTEN: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def seconds(text: str) -> float:
    """How many seconds; ValueError says how to write it."""
    found = _WRITTEN.fullmatch(text.strip())
    total = 0
    if found is not None:
        total = sum(
            int(count) * _UNITS[unit]
            for unit, count in zip("hms", found.groups(), strict=True)
            if count
        )
    if not total:
        raise ValueError(f"{text!r} is no duration: write 90s, 2m or 1m30s")
    return float(total)
