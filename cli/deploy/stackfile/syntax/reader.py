"""Parse a stack file's YAML text into tables, lists and scalars.

Rules: a key that is defined twice is an error, with both lines. Anchors and merge keys are
expanded, and the result has a limited size, because a short text can expand to any size.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.syntax.scalars import value_of

_PLAIN: Final = "plain"
_MERGE: Final = "<<"
_PREFIX: Final = "tag:yaml.org,2002:"
_LARGEST: Final = 100_000
"""The largest number of values in a stack file. Docker refuses documents that expand too far."""
_DEEPEST: Final = 50

Table = dict[str, Any]


class _Composer(yaml.SafeLoader):
    """Marks scalars without quotes and without a tag, whose value depends on the reader."""

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise yaml.MarkedYAMLError(
                problem="an escape is no Unicode character", problem_mark=node.start_mark
            )
        if event.implicit[0] and event.tag is None:
            node.tag = _PLAIN
        return node


def parse(text: str, file: str) -> Table:
    """Return the top-level table of a stack file. `file` is the file's name for error messages.

    Raises:
        StackError: if the text is no YAML table, or if a key is defined twice.
    """
    construction = _Construction(file)
    try:
        node = _Composer(text).get_single_node()
        document = None if node is None else construction.value(node, ())
    except StackError:
        raise
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise StackError(f"{file}, line {line}: the text contains a control character") from None
    except yaml.MarkedYAMLError as exc:
        raise StackError(_syntax_error(exc, file)) from None
    except RecursionError:
        raise StackError(f"{file}: the text is nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError) as exc:
        raise StackError(f"{file}: {exc}") from None
    if node is None:
        raise StackError(f"{file} is empty; it needs services")
    if construction.errors:
        raise StackError("\n".join(construction.errors))
    if not isinstance(document, dict):
        raise StackError(f"{file}: the top level must be a table that contains services")
    return document


def _syntax_error(exc: yaml.MarkedYAMLError, file: str) -> str:
    mark = exc.problem_mark or exc.context_mark
    place = f"{file}, line {mark.line + 1}" if mark is not None else file
    if "expected a single document" in (exc.context or ""):
        return f"{place}: a second document begins here (---); Docker would ignore it; remove it"
    problem = " ".join(str(exc.problem or exc.context or "the text is no YAML").split())
    return f"{place}: the text is no valid YAML: {problem}"


class _Construction:
    """Turns YAML nodes into values, and collects every error."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[str] = []
        self._size = 0
        self._parents: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self._size += 1
        if self._size > _LARGEST:
            raise StackError(f"{self.file}: the anchors expand to more than {_LARGEST:,} values")
        if len(self._parents) > _DEEPEST:
            raise StackError(f"{self._place(node)}: the text is nested too deeply")
        if any(node is parent for parent in self._parents):
            raise StackError(f"{self._place(node)}: an anchor contains itself")
        self._parents.append(node)
        try:
            return self._content(node, path)
        finally:
            self._parents.pop()

    def _content(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        match node:
            case yaml.MappingNode() if node.tag == f"{_PREFIX}map":
                return self._table(node, path)
            case yaml.SequenceNode() if node.tag == f"{_PREFIX}seq":
                return [self.value(child, (*path, str(i))) for i, child in enumerate(node.value)]
            case yaml.ScalarNode() if node.tag == f"{_PREFIX}str":
                return node.value
            case yaml.ScalarNode() if node.tag == _PLAIN or node.tag.startswith(_PREFIX):
                return self._scalar(node)
        shown = node.tag.replace(_PREFIX, "!!")
        self.errors.append(
            f"{self._place(node)}: {_name(path)} has the tag {shown}, which docker stack does not"
            " read; remove the tag"
        )
        return None

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        """Return the value of a scalar that has no tag, or one of YAML's own tags."""
        value = value_of(node.value)
        kinds = {
            "int": (int, float),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        kind = node.tag.removeprefix(_PREFIX)
        if node.tag == _PLAIN or isinstance(value, kinds.get(kind, ())):
            return float(value) if kind == "float" else value
        self.errors.append(
            f"{self._place(node)}: the value with the tag !!{kind} is not read; remove the tag"
        )
        return None

    def _table(self, node: yaml.MappingNode, path: tuple[str, ...]) -> Table:
        merged: Table = {}
        table: Table = {}
        lines: dict[str, int] = {}
        for key_node, child in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in lines:
                self.errors.append(
                    f"{self.file}: {_name(path)}: the key {key} is defined on line {lines[key]} and"
                    f" again on line {line}; keep one of them"
                )
                continue
            lines[key] = line
            if key == _MERGE and key_node.tag == _PLAIN:
                for source in self._merge_sources(child, path):
                    merged = source | merged
            else:
                table[key] = self.value(child, (*path, key))
        return merged | table

    def _key(self, node: yaml.Node, path: tuple[str, ...]) -> str | None:
        is_scalar = isinstance(node, yaml.ScalarNode)
        key = value_of(node.value) if is_scalar and node.tag == _PLAIN else node.value
        if is_scalar and isinstance(key, str):
            return key
        shown = node.value if is_scalar else "that is a list or a table"
        self.errors.append(
            f"{self._place(node)}: {_name(path)}: the key {shown} is no text; put it in quotes"
        )
        return None

    def _merge_sources(self, node: yaml.Node, path: tuple[str, ...]) -> Iterator[Table]:
        """Yield the tables that a merge key names. An earlier table takes precedence."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in nodes:
            if isinstance(source, yaml.MappingNode):
                yield self.value(source, path)
            else:
                self.errors.append(
                    f"{self._place(source)}: {_name(path)}: << must name tables of this file"
                )

    def _place(self, node: yaml.Node) -> str:
        return f"{self.file}, line {node.start_mark.line + 1}"


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path) or "the top level"
