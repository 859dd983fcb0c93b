"""Replace variables in stack files. The syntax is the same as in Compose files.

Rules: all missing variables and all errors are collected in one pass. In contrast,
`docker stack deploy` stops at the first. A file may ask for values that are empty after
replacement to be removed from their list or table; otherwise they stay, as with Docker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cli.deploy.stackfile.casts import cast_for

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)(?P<default>:?[-?])?|"
    r"\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<other>(?:[^{}]|\{[^{}]*\})*))?\}|"
    r"(?P<invalid>))",
    re.ASCII,
)


class _Removed:
    """A placeholder for a value that will be removed."""


_REMOVED: Final = _Removed()


@dataclass
class Interpolation:
    """Replaces variables in a document and records missing variables."""

    values: Mapping[str, str]
    drops_empty: bool = False
    """Whether a value that is empty after replacement is removed from its list or table."""
    missing: dict[str, str] = field(default_factory=dict)
    """Required variables without a value, each with its error message from the stack file."""
    errors: list[str] = field(default_factory=list)
    """What else is wrong, each with its place in the file."""
    _place: str = ""
    _has_failed: bool = False

    def of(self, document: Any, *, path: tuple[str, ...] = ()) -> Any:
        """Return the document with variables replaced. `path` is its place in the stack file."""
        value = self._of(document, path)
        return None if value is _REMOVED else value

    def text(self, text: str) -> str:
        """Return a string with its variables replaced."""
        return _VARIABLE.sub(self._value, text)

    def _of(self, node: Any, path: tuple[str, ...]) -> Any:
        match node:
            case dict():
                table = {name: self._of(value, (*path, str(name))) for name, value in node.items()}
                return {name: value for name, value in table.items() if value is not _REMOVED}
            case list():
                values = [self._of(value, (*path, "[]")) for value in node]
                return [value for value in values if value is not _REMOVED]
            case str() if "$" in node:
                return self._replaced(node, path)
        return node

    def _replaced(self, text: str, path: tuple[str, ...]) -> Any:
        self._place, self._has_failed = ".".join(path), False
        value = self.text(text)
        if self._has_failed:
            return text
        if not value and self.drops_empty:
            return _REMOVED
        cast = cast_for(path)
        if cast is None or value == text:
            return value
        try:
            return cast(value)
        except ValueError as exc:
            self.errors.append(f"{self._place}: {exc}")
            return value

    def _value(self, match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["invalid"] is not None:
            return self._fail("a $ begins no variable; write $$ for a dollar sign")
        if match["default"]:
            # Docker takes the rest of the text for a default; Compose takes it for text.
            plain = match["plain"]
            shown = f"${plain}{match['default']}"
            return self._fail(f"Docker and Compose read {shown} differently; write ${{{plain}}}")
        name = match["plain"] or match["name"]
        operator, other = match["operator"] or "", match["other"] or ""
        value = self.values.get(name)
        if value is not None and not is_text(value):
            return self._fail(f"the value of {name} is no UTF-8 text")
        # With a colon, an empty value counts as unset.
        is_set = value is not None and (value != "" or not operator.startswith(":"))
        match operator[-1:]:
            case "+":
                return self.text(other) if is_set else ""
            case "-":
                return value if is_set and value is not None else self.text(other)
            case "?" if not is_set:
                self.missing[name] = self.text(other)
                self._has_failed = True
                return ""
            case "" if not is_set:
                self.missing.setdefault(name, "")
                self._has_failed = True
                return ""
        return value or ""

    def _fail(self, problem: str) -> str:
        self.errors.append(f"{self._place}: {problem}" if self._place else problem)
        self._has_failed = True
        return ""


def escaped(document: Any) -> Any:
    """Return the document with every `$` doubled, so that Docker does not replace variables."""
    match document:
        case dict():
            return {name: escaped(value) for name, value in document.items()}
        case list():
            return [escaped(value) for value in document]
        case str() if "$" in document:
            return document.replace("$", "$$")
    return document


def is_text(value: str) -> bool:
    """Return whether a value can be encoded. Bytes that are no UTF-8 are surrogates in Python."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
