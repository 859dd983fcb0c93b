"""Which contract tests concern what changed: `python tests/running/changed.py` prints their files.

What changed is what differs from where this branch left `origin/main`, or from the last commit
where there is no such branch. A test file concerns a module that it imports, starts as a program
or reaches through other modules: of each changed module the closest test files are chosen, and of
equally close ones those that reach the fewest modules.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = Path("tests/contract")
PACKAGES: Final = ("agent", "cli", "lab", "leader", "runtime", "services", "wire")
_OF_EACH: Final = 2
"""Test files for each changed module."""
_AT_MOST: Final = 8
"""Test files in all: what is left out is printed, and `make contract` runs it."""


@dataclass(frozen=True)
class Source:
    """One file of the contract tests, as far as its text says what it depends on."""

    modules: frozenset[str]
    """Modules of ours that it imports, or starts as programs."""
    words: frozenset[str]
    """What it imports, the fixtures it asks for, and the constants it contains."""
    fixtures: frozenset[str]
    """Fixtures that it defines."""


def read(text: str, modules: Iterable[str]) -> Source:
    """What the text of a test file, or of a module of fixtures, depends on."""
    known = set(modules)
    direct: set[str] = set()
    words: set[str] = set()
    fixtures: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    words.add(alias.name)
            case ast.ImportFrom(module=str(module), names=names):
                words.add(module)
                words |= {f"{module}.{alias.name}" for alias in names}
            case ast.Constant(value=str(value)):
                words.add(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                words |= {argument.arg for argument in node.args.args}
                if any("fixture" in ast.unparse(line) for line in node.decorator_list):
                    fixtures.add(node.name)
    for word in words:
        direct |= {f"{name}.__main__" for name in (word, f"services.{word}")} & known
        if "." in word and word in known:
            direct.add(word)
    return Source(frozenset(direct), frozenset(words), frozenset(fixtures))


def direct_modules(sources: Mapping[Path, Source]) -> dict[Path, dict[str, int]]:
    """Of each test file, the modules it depends on at once (0) or by its fixtures (more)."""
    found = {}
    for path, source in sources.items():
        if not path.name.startswith("test_"):
            continue
        distances = dict.fromkeys(source.modules, 0)
        layer, seen, steps = [source], {path}, 0
        while layer:
            steps += 1
            following = [
                (other, candidate)
                for other, candidate in sources.items()
                if other not in seen and any(_uses(user, other, candidate) for user in layer)
            ]
            seen |= {other for other, _ in following}
            layer = [candidate for _, candidate in following]
            for candidate in layer:
                for module in candidate.modules:
                    distances.setdefault(module, steps)
        found[path] = distances
    return found


def _uses(user: Source, path: Path, other: Source) -> bool:
    is_test = path.name.startswith("test_")
    return not is_test and (path.stem in user.words or bool(other.fixtures & user.words))


def distances_to(modules: Iterable[str], importers: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """How many imports lead from each module to the closest of these."""
    layer, steps = set(modules), 0
    distances = dict.fromkeys(layer, 0)
    while layer:
        steps += 1
        layer = {up for name in layer for up in importers.get(name, ())} - distances.keys()
        distances |= dict.fromkeys(layer, steps)
    return distances


def concerned(
    changed: Iterable[str],
    direct: Mapping[Path, Mapping[str, int]],
    importers: Mapping[str, frozenset[str]],
    breadth: Mapping[Path, int],
) -> list[Path]:
    """The test files of a changed module, or of a package, the closest first."""
    distances = distances_to(changed, importers)
    costs = {
        path: min(distances[name] + steps for name, steps in modules.items() if name in distances)
        for path, modules in direct.items()
        if not distances.keys().isdisjoint(modules)
    }
    return sorted(costs, key=lambda path: (costs[path], breadth[path], path))


def chosen(
    edited: Iterable[Path], ranked: Iterable[list[Path]], *, of_each: int, at_most: int
) -> tuple[list[Path], list[Path]]:
    """The test files to run, and those that are left out for want of time."""
    wanted = dict.fromkeys(edited)
    queues = [paths[:of_each] for paths in ranked]
    for place in range(of_each):
        wanted |= dict.fromkeys(queue[place] for queue in queues if len(queue) > place)
    paths = list(wanted)
    return paths[:at_most], paths[at_most:]


def modules_of(path: Path, modules: Iterable[str]) -> frozenset[str]:
    """The module that a file of the tree is; of a package's data, the package's modules."""
    known = frozenset(modules)
    if path.suffix == ".py":
        parts = path.parent.parts if path.stem == "__init__" else (*path.parent.parts, path.stem)
        return known & {".".join(parts)}
    for folder in path.parents:
        name = ".".join(folder.parts)
        if name in known:
            return frozenset(each for each in known if f"{each}.".startswith(f"{name}."))
    return frozenset()


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _changed_files() -> list[Path]:
    base = _git("merge-base", "HEAD", "origin/main").strip() or "HEAD"
    names = _git("diff", "--name-only", base).splitlines()
    names += _git("ls-files", "--others", "--exclude-standard").splitlines()
    return [Path(name) for name in dict.fromkeys(names)]


def _mentioning(path: Path, sources: Mapping[Path, Source]) -> list[Path]:
    """Test files that name a file which is no module: a script, a stack, a template."""
    return [
        test
        for test, source in sources.items()
        if test.name.startswith("test_") and any(path.name in word for word in source.words)
    ]


def _sources(modules: Iterable[str]) -> Iterator[tuple[Path, Source]]:
    for path in sorted((ROOT / CONTRACT).rglob("*.py")):
        yield path.relative_to(ROOT), read(path.read_text(), modules)


def main() -> None:
    """Print the test files to run, one a line; say on stderr what is left out."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    importers = {
        name: frozenset(graph.find_modules_that_directly_import(name)) for name in graph.modules
    }
    sources = dict(_sources(importers))
    direct = direct_modules(sources)
    breadth = {
        path: len(set().union(*(graph.find_upstream_modules(name) for name in modules)))
        for path, modules in direct.items()
    }
    edited: list[Path] = []
    ranked: list[list[Path]] = []
    for path in _changed_files():
        if path in direct:
            edited.append(path)
        elif path in sources:
            ranked.append([test for test in direct if _uses(sources[test], path, sources[path])])
        elif modules := modules_of(path, importers):
            ranked.append(concerned(modules, direct, importers, breadth))
        elif path.suffix not in {".md", ".py"}:
            ranked.append(_mentioning(path, sources))
    run, left_out = chosen(edited, ranked, of_each=_OF_EACH, at_most=_AT_MOST)
    print(*run, sep="\n")
    if left_out:
        print("left to make contract:", *left_out, file=sys.stderr)


if __name__ == "__main__":
    main()
