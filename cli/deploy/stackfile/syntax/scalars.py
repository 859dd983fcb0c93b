"""What a YAML scalar without quotes means.

Rule: a text becomes a number or a truth value only if YAML 1.1, YAML 1.2 and Docker agree on it.
Every other text that may be more than a string stays a `Plain`, which only Docker resolves: PyYAML
reads `2222:22` as 133342, and older Docker clients read `on` as true.
"""

import re
from typing import Any, Final

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})
_TRUE_WORDS: Final = frozenset({"y", "yes", "on", "true"})
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_OCTAL: Final = re.compile(r"0[0-7]{1,17}")
_FLOAT: Final = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}")
_AMBIGUOUS: Final = re.compile(
    r"[-+]?[0-9][0-9_]*(?::[0-9]+)*|"
    r"[-+]?0[xob][0-9a-f_]+|"
    r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?::[0-9]+)*\.?[0-9_]*)(?:e[-+]?[0-9]+)?|"
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\s].*)?|"
    r"[-+]?\.(?:inf|nan)",
    re.ASCII | re.IGNORECASE,
)


class Plain(str):
    """A scalar without quotes whose type only Docker decides. It is written without quotes."""

    __slots__ = ()


def value_of(text: str) -> Any:
    """Return the value of a scalar without quotes: None, a bool, a number, a `Plain` or a text."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    if _FLOAT.fullmatch(text):
        return float(text)
    return Plain(text) if is_ambiguous(text) else text


def is_ambiguous(text: str) -> bool:
    """Return whether a reader of YAML may take a text without quotes for more than a string."""
    # Docker's reader ignores underscores in numbers, wherever they are.
    texts = (text, text.replace("_", ""))
    return text.lower() in _WORDS or any(_AMBIGUOUS.fullmatch(form) for form in texts)


def is_true(value: Any) -> bool:
    """Return whether a value is true, also for Docker clients that read `yes` as true."""
    return value is True or (isinstance(value, Plain) and value.lower() in _TRUE_WORDS)
