"""Check that no name is a vague word, such as `thing`, which does not describe the value.

`make lint` runs this check on the code, but not on tests. It covers every binding: variables,
parameters, attributes, functions, classes, modules, and names that are bound by imports, loops,
`with`, `except` and patterns. Case and leading or trailing underscores are ignored.

Usage: python tests/lint/vague_names.py FILE_OR_DIRECTORY...
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VAGUE: Final = frozenset(
    [
        "asked",
        "found",
        "foo",
        "given",
        "got",
        "he",
        "heard",
        "held",
        "him",
        "his",
        "it",
        "kept",
        "made",
        "meant",
        "nobody",
        "obj",
        "one",
        "ones",
        "said",
        "somebody",
        "something",
        "stuff",
        "thing",
        "things",
        "tmp",
        "told",
        "whatever",
        "who",
        "whom",
    ]
)


def is_vague(name: str) -> bool:
    """Whether a name is a vague word, ignoring case and leading or trailing underscores."""
    return name.strip("_").lower() in VAGUE


def bindings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every binding in a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(name=name, asname=alias):
                yield node.lineno, alias or name.rpartition(".")[2]
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def vague_bindings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each vague binding. A vague file name counts as line 1."""
    if is_vague(path.stem):
        yield 1, path.stem
    for line, name in bindings(ast.parse(path.read_text(encoding="utf-8"))):
        if is_vague(name):
            yield line, name


def main(arguments: list[str]) -> int:
    """Print each vague binding below the paths. Return 1 if any was found, otherwise 0."""
    roots = [Path(argument) for argument in arguments]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*.py"))]
    count = 0
    for file in sorted(files):
        if "node_modules" in file.parts:
            continue
        for line, name in vague_bindings(file):
            print(f"{file}:{line}: the name {name!r} does not describe the value")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
