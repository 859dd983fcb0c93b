"""Reads fields of Docker's JSON objects, and checks their types.

Rule: raise `StrangeRow` for a field of the wrong type, so that the list's other rows can be used.
The error never quotes the field's value. A field that is missing or null has its default value.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Table = Mapping[str, Any]
_MOST: Final = 2**63


class StrangeRow(ValueError):  # noqa: N818  like MalformedMessage, not in runtime.errors
    """Raised for an object that does not have the documented format."""


def table(raw: Table, key: str) -> Table:
    """Return an object, which is empty by default."""
    value = _field(raw, key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise StrangeRow(f"{key} is not an object")
    return value


def tables(raw: Table, key: str) -> Sequence[Table]:
    """Return a list of objects, which is empty by default."""
    value = _list(raw, key)
    if not all(isinstance(inner, Mapping) for inner in value):
        raise StrangeRow(f"{key} is not a list of objects")
    return value


def texts(raw: Table, key: str) -> tuple[str, ...]:
    """Return a list of strings, which is empty by default."""
    return tuple(_text(inner, key) for inner in _list(raw, key))


def text(raw: Table, key: str, default: str = "") -> str:
    """Return a string."""
    value = _field(raw, key)
    return default if value is None else _text(value, key)


def required(raw: Table, key: str) -> str:
    """Return a string that must not be missing or empty."""
    value = text(raw, key)
    if not value:
        raise StrangeRow(f"{key} is missing")
    return value


def number(raw: Table, key: str) -> int:
    """Return a whole number, which is 0 by default."""
    value = _field(raw, key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _MOST:
        raise StrangeRow(f"{key} is not a number of 64 bits")
    return value


def labels(raw: Table, key: str = "Labels") -> dict[str, str]:
    """Return labels, of which there are none by default."""
    return {_text(name, key): _text(value, key) for name, value in table(raw, key).items()}


def id_of(raw: object) -> str:
    """Return an object's id, or an empty string if the id cannot be read."""
    try:
        return text(raw, "ID") if isinstance(raw, Mapping) else ""
    except StrangeRow:
        return ""


def _field(raw: Table, key: str) -> Any:
    if not isinstance(raw, Mapping):
        raise StrangeRow("this is not an object")
    return raw.get(key)


def _list(raw: Table, key: str) -> Sequence[Any]:
    value = _field(raw, key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise StrangeRow(f"{key} is not a list")
    return value


def _text(value: object, key: str) -> str:
    # A lone surrogate cannot be encoded, for example in the answer to a request for metrics.
    if not isinstance(value, str) or not _is_encodable(value):
        raise StrangeRow(f"{key} is not a string")
    return value


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
