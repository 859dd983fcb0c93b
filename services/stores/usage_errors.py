"""Reads what InfluxDB says about calls that it did not store. This module does no I/O.

Rule: never repeat InfluxDB's text, because it contains values of the calls. Only the limit's and
the tag's name are taken from it.
"""

import re
from typing import Final

from runtime.errors import RefusedError

_PARTIAL: Final = re.compile(r"partial write: (.*) dropped=([0-9]{1,9})", re.DOTALL)
_LIMIT: Final = re.compile(r"([a-z][a-z-]{0,50}) limit exceeded")
_TAG: Final = re.compile(r'tag=\\?"([a-z_]{1,30})')
"""The quote is escaped, because the text is a part of JSON."""
_UNREADABLE: Final = "unable to parse"


class RejectedError(RefusedError):
    """InfluxDB rejected these calls and would reject them again."""


class PartialWriteError(RejectedError):
    """InfluxDB stored the calls except `dropped` of them, which it would reject again."""

    def __init__(self, message: str, dropped: int) -> None:
        super().__init__(message)
        self.dropped = dropped


def rejection(attempt: str, status: int, text: str) -> RejectedError:
    """Return the error for a batch that InfluxDB rejected wholly or partly (status 400 or 413)."""
    match = _PARTIAL.search(text)
    if match is None:
        return RejectedError(f"{attempt}: InfluxDB returned {status}")
    reason, dropped = match[1], int(match[2])
    # For calls that it could not parse, InfluxDB gives the number 0 and a line for each.
    dropped = max(dropped, reason.count(_UNREADABLE))
    return PartialWriteError(f"{attempt}: {_sentence(reason)}", dropped)


def _sentence(reason: str) -> str:
    if limit := _LIMIT.search(reason):
        tag = _TAG.search(reason)
        of_tag = f" for the tag {tag[1]}" if tag else ""
        return f"InfluxDB's limit {limit[1]} is reached{of_tag}; new values of it are not stored"
    if "retention policy" in reason:
        return "the calls are older than InfluxDB keeps data"
    return "InfluxDB stored only a part of the calls"
