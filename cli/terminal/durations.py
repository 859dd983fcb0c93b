"""Parse durations such as `90s`, `2m`, `1m30s` or `120` (seconds)."""

import re
from typing import Final

_UNIT_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}
_PATTERN: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def seconds(text: str) -> float:
    """Parse a duration, and return it in seconds.

    Raises:
        ValueError: if the text is not a valid duration. The message gives examples.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration; for example, write 90s, 2m or 1m30s")
    total = sum(
        int(count) * _UNIT_SECONDS[unit]
        for unit, count in zip("hms", match.groups(), strict=True)
        if count
    )
    if not total:
        raise ValueError(f"{text!r} is too short; for example, write 90s, 2m or 1m30s")
    return float(total)
