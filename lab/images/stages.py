"""Parses a Dockerfile's stages, and finds the stages that a target needs. This module does no I/O.

Rule: give the builder a Dockerfile without unneeded stages. BuildKit skips such stages anyway, but
the classic builder, which every engine has, builds all stages above the target.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

_FROM: Final = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
_COPIED: Final = re.compile(r"^COPY --from=(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a Dockerfile."""

    name: str
    text: str
    """The stage's instructions, including FROM."""
    needs: frozenset[str]
    """The names of the stages that this stage is based on or copies from."""


def parse(dockerfile: str) -> list[Stage]:
    """Return a Dockerfile's stages, in the order they appear."""
    matches = list(_FROM.finditer(dockerfile))
    ends = [match.start() for match in matches[1:]] + [len(dockerfile)]
    names = {match[2] for match in matches}
    stages = []
    for match, end in zip(matches, ends, strict=True):
        text = dockerfile[match.start() : end]
        stages.append(Stage(match[2], text, frozenset({match[1], *_COPIED.findall(text)}) & names))
    return stages


def needed(stages: Collection[Stage], targets: Iterable[str]) -> list[Stage]:
    """Return the targets and all stages they need, in the order they appear in the Dockerfile."""
    by_name = {stage.name: stage for stage in stages}
    names: set[str] = set()
    waiting = list(targets)
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += by_name[name].needs
    return [stage for stage in stages if stage.name in names]


def pruned(stages: Collection[Stage], target: str) -> str:
    """Return a Dockerfile that contains only the target and the stages that the target needs."""
    return "".join(stage.text for stage in needed(stages, [target]))
