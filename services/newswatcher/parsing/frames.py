"""The messages between newswatcher and its parser's process: JSON, followed by bytes.

A message begins with the two lengths, as 32-bit integers. This module does no I/O.
"""

import json
import struct
from typing import Any, Final

HEAD_BYTES: Final = 8
MOST_BYTES: Final = 64 * 1024 * 1024
"""The greatest length of either part of a message."""
_HEAD: Final = struct.Struct(">II")


def encode(fields: dict[str, Any], body: bytes = b"") -> bytes:
    """Return the message as bytes."""
    text = json.dumps(fields, separators=(",", ":")).encode()
    return _HEAD.pack(len(text), len(body)) + text + body


def lengths(head: bytes) -> tuple[int, int]:
    """Return the lengths of the JSON and of the bytes that follow the head.

    Raises:
        ValueError: if a length is greater than a message can be.
    """
    text, body = _HEAD.unpack(head)
    if max(text, body) > MOST_BYTES:
        raise ValueError("the message is too long")
    return text, body


def decode(text: bytes) -> dict[str, Any]:
    """Return the fields of a message.

    Raises:
        ValueError: if the text is not a JSON object.
    """
    try:
        fields = json.loads(text)
    except RecursionError as exc:
        raise ValueError("the message is nested too deeply") from exc
    if not isinstance(fields, dict):
        raise ValueError("the message is not a JSON object")  # noqa: TRY004  the input is wrong
    return fields
