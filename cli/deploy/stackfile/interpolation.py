"""Replace variables in stack files. The syntax is the same as in Compose files.

Rule: all missing variables are collected in one pass. A value that is empty after replacement is
removed from its list or table. In contrast, `docker stack deploy` stops at the first missing
variable and keeps empty values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|"
    r"\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<other>(?:[^{}]|\{[^{}]*\})*))?\})"
)
_NUMBERS: Final = frozenset({"replicas", "parallelism", "target", "published"})
"""Keys whose values Docker accepts only as numbers."""


class _Removed:
    """A placeholder for a value that will be removed."""


_REMOVED: Final = _Removed()


@dataclass
class Interpolation:
    """Replaces variables in a document and records missing variables."""

    values: Mapping[str, str]
    missing: dict[str, str] = field(default_factory=dict)
    """Required variables without a value, each with its error message from the stack file."""

    def of(self, document: Any) -> Any:
        """Return the document with variables replaced and empty values removed."""
        return self._of(document, "")

    def text(self, text: str) -> str:
        """Return a string with its variables replaced."""
        return _VARIABLE.sub(self._value, text)

    def _of(self, node: Any, key: str) -> Any:
        match node:
            case dict():
                table = {name: self._of(value, str(name)) for name, value in node.items()}
                return {name: value for name, value in table.items() if value is not _REMOVED}
            case list():
                values = [self._of(value, key) for value in node]
                return [value for value in values if value is not _REMOVED]
            case str() if "$" in node:
                value = self.text(node)
                if not value:
                    return _REMOVED
                return int(value) if key in _NUMBERS and value.isdecimal() else value
        return node

    def _value(self, match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["plain"] or match["name"]
        operator, other = match["operator"] or "", match["other"] or ""
        value = self.values.get(name)
        # With a colon, an empty value counts as unset.
        is_set = value is not None and (value != "" or not operator.startswith(":"))
        match operator[-1:]:
            case "+":
                return self.text(other) if is_set else ""
            case "-":
                return value if is_set and value is not None else self.text(other)
            case "?" if not is_set:
                self.missing[name] = self.text(other)
                return ""
            case "" if not is_set:
                self.missing.setdefault(name, "")
                return ""
        return value or ""


def escaped(document: Any) -> Any:
    """Return the document with every `$` doubled, so that Docker does not replace variables."""
    match document:
        case dict():
            return {name: escaped(value) for name, value in document.items()}
        case list():
            return [escaped(value) for value in document]
        case str():
            return document.replace("$", "$$")
    return document
