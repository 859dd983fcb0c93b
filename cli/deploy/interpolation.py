"""Variables in stack files, as Compose writes them. Pure.

Rule: all that is missing is found in one go, and a value that has variables and comes out empty is
left out of its list or table. `docker stack deploy` would pass `NAME=` on, and stop at the first
variable that is not there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|"
    r"\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<other>(?:[^{}]|\{[^{}]*\})*))?\})"
)
_NUMBERS: Final = frozenset({"replicas", "parallelism", "target", "published"})
"""Keys whose values Docker takes as numbers alone."""


class _Nothing:
    """Takes the place of what is left out."""


_NOTHING: Final = _Nothing()


@dataclass
class Interpolation:
    """Puts values into a document; `missing` then says what it lacked."""

    values: Mapping[str, str]
    missing: dict[str, str] = field(default_factory=dict)
    """Names of variables that have no value and need one, and what the file says about each."""

    def of(self, document: Any) -> Any:
        """The document with values in it; what came out empty is not in it any more."""
        return self._of(document, "")

    def text(self, text: str) -> str:
        """One string with values in it."""
        return _VARIABLE.sub(self._value, text)

    def _of(self, node: Any, key: str) -> Any:
        match node:
            case dict():
                made = {name: self._of(value, str(name)) for name, value in node.items()}
                return {name: value for name, value in made.items() if value is not _NOTHING}
            case list():
                made_list = [self._of(value, key) for value in node]
                return [value for value in made_list if value is not _NOTHING]
            case str() if "$" in node:
                value = self.text(node)
                if not value:
                    return _NOTHING
                return int(value) if key in _NUMBERS and value.isdecimal() else value
        return node

    def _value(self, found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        name, how, other = found["plain"] or found["name"], found["how"] or "", found["other"] or ""
        value = self.values.get(name)
        # With a colon, empty is as good as absent.
        is_there = value is not None and (value != "" or not how.startswith(":"))
        match how[-1:]:
            case "+":
                return self.text(other) if is_there else ""
            case "-":
                return value if is_there and value is not None else self.text(other)
            case "?" if not is_there:
                self.missing[name] = self.text(other)
                return ""
            case "" if not is_there:
                self.missing.setdefault(name, "")
                return ""
        return value or ""


def escaped(document: Any) -> Any:
    """The document as Docker must be given it, so that it finds no variable in it."""
    match document:
        case dict():
            return {name: escaped(value) for name, value in document.items()}
        case list():
            return [escaped(value) for value in document]
        case str():
            return document.replace("$", "$$")
    return document
