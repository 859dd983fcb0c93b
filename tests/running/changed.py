"""Choose the contract tests for the changed files, and print the paths of the test files.

Run `python tests/running/changed.py`. A file counts as changed if it differs from the merge base
with `origin/main`, or from the last commit if there is no such branch. A test file concerns the
modules that it imports, starts as programs or reaches through other modules. For each changed
module, the closest test files are chosen. Among equally close files, those that reach the fewest
modules are preferred.
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
"""Maximum number of test files for each changed module."""
_AT_MOST: Final = 8
"""Maximum number of test files in total. The others are printed; `make contract` runs them."""


@dataclass(frozen=True)
class Source:
    """The dependencies of one contract test file, as found in its text."""

    modules: frozenset[str]
    """Our modules that the file imports or starts as programs."""
    words: frozenset[str]
    """The names that the file imports, its functions' arguments, and its string constants."""
    fixtures: frozenset[str]
    """The fixtures that the file defines."""


def read(text: str, modules: Iterable[str]) -> Source:
    """Return the dependencies of a test file or a fixture module with this text."""
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
    """Return the modules that each test file depends on, with their distances.

    The distance is 0 for a direct dependency, and larger for a dependency through fixtures.
    """
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
    """Return the number of imports from each module to the closest of the given modules."""
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
    """Return the test files that concern the changed modules, closest first."""
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
    """Return the test files to run, and the test files that are left out to save time."""
    wanted = dict.fromkeys(edited)
    queues = [paths[:of_each] for paths in ranked]
    for place in range(of_each):
        wanted |= dict.fromkeys(queue[place] for queue in queues if len(queue) > place)
    paths = list(wanted)
    return paths[:at_most], paths[at_most:]


def modules_of(path: Path, modules: Iterable[str]) -> frozenset[str]:
    """Return a source file's module, or all modules in the package that contains a data file."""
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
    """Return test files that mention a file that is not a module, such as a script or a stack."""
    return [
        test
        for test, source in sources.items()
        if test.name.startswith("test_") and any(path.name in word for word in source.words)
    ]


def _sources(modules: Iterable[str]) -> Iterator[tuple[Path, Source]]:
    for path in sorted((ROOT / CONTRACT).rglob("*.py")):
        yield path.relative_to(ROOT), read(path.read_text(), modules)


def main() -> None:
    """Print the test files to run, one per line; print the files that are left out on stderr."""
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
        print("left out; run `make contract` to include:", *left_out, file=sys.stderr)


if __name__ == "__main__":
    main()
