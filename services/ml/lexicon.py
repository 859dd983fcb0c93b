"""The lexicon: what words and phrases weigh, from `data/lexicon.csv`. Pure once it is loaded.

Kinds of terms, as the file has them:

    move      something goes up or down by itself; its weight is for a thing one wants more of
    change    somebody makes a thing more or less; says nothing until the thing is known
    noun      such a thing: 1 one wants more of it, -1 less, 0 it does not matter
    beat      does better or worse than a mark
    mark      what it is measured by: estimates, expectations
    tone      good or bad whatever stands beside it
    negate    turns what follows round, in part
    scale     strengthens or weakens what follows or precedes
    aside     what follows counts for less: the cause, or what did not help
    but       what precedes counts for less

`forms` is `v` or `n` for a regular verb's or noun's forms, or the forms themselves.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from services.ml import words

Kind = Literal["move", "change", "noun", "beat", "mark", "tone", "negate", "scale", "aside", "but"]
FILE: Final = Path(__file__).parent / "data" / "lexicon.csv"
ROLES: Final[tuple[frozenset[str], ...]] = (
    frozenset({"move", "change", "beat", "tone"}),
    frozenset({"noun"}),
    frozenset({"mark"}),
    frozenset({"negate", "scale", "aside", "but"}),
)
"""A term has one meaning in each: "target" is a noun and a mark."""
_DOUBLING: Final = frozenset(
    {
        *("bat", "ban", "chop", "cut", "dip", "drag", "drop", "flag", "flop", "grab"),
        *("jog", "lag", "log", "nag", "pop", "rig", "rip", "scrap", "shed", "shred"),
        *("shrug", "sag", "skid", "slip", "slam", "slap", "snap", "spur", "stem", "step"),
        *(
            "stop",
            "strip",
            "swap",
            "tap",
            "trim",
            "top",
            "tug",
            "win",
        ),
    }
)
_VOWELS: Final = "aeiou"


@dataclass(frozen=True, slots=True)
class Term:
    """One meaning of a word or phrase."""

    words: tuple[str, ...]
    kind: Kind
    weight: float


class Lexicon:
    """Terms by their words."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._roles: list[dict[str, list[Term]]] = [{} for _ in ROLES]
        self._size = 0
        for term in terms:
            (role,) = (at for at, kinds in enumerate(ROLES) if term.kind in kinds)
            self._roles[role].setdefault(term.words[0], []).append(term)
            self._size += 1
        for index in self._roles:
            for found in index.values():
                found.sort(key=lambda one: -len(one.words))

    def __len__(self) -> int:
        return self._size

    def at(self, tokens: Sequence[str], place: int, role: int) -> Term | None:
        """The longest term of a role that begins here."""
        for term in self._roles[role].get(tokens[place], ()):
            if tuple(tokens[place : place + len(term.words)]) == term.words:
                return term
        return None


@cache
def standard() -> Lexicon:
    """The lexicon of the file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return Lexicon(parse(lines))


def parse(lines: Iterable[str]) -> list[Term]:
    """Every form of every row.

    Raises:
        ValueError: a row is not as it should be, or two rows say different things of one form.
    """
    found: dict[tuple[tuple[str, ...], int], Term] = {}
    said: set[tuple[str, int]] = set()
    for row in csv.DictReader(lines):
        kind: Kind = row["kind"]  # type: ignore[assignment]
        if kind not in get_args(Kind):
            raise ValueError(f"{row['term']}: no such kind: {kind}")
        role = next(at for at, kinds in enumerate(ROLES) if kind in kinds)
        if (row["term"], role) in said:
            raise ValueError(f"{row['term']}: said twice")
        said.add((row["term"], role))
        for form in _forms(row["term"], row["forms"]):
            term = Term(tuple(words.tokens(form)), kind, float(row["weight"]))
            # A form that two rows share, as "losses", is the earlier one's.
            found.setdefault((term.words, role), term)
    return list(found.values())


def _forms(term: str, told: str) -> list[str]:
    match told:
        case "":
            return [term]
        case "v":
            return [term, *verb_forms(term)]
        case "n":
            return [term, plural(term)]
    if " " not in term:
        return [term, *told.split()]
    # Forms of a phrase follow each other, each with all its words.
    size = len(term.split())
    spelled = told.split()
    return [term, *(" ".join(spelled[at : at + size]) for at in range(0, len(spelled), size))]


def plural(noun: str) -> str:
    """A regular noun's, of a phrase its last word's."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def verb_forms(verb: str) -> list[str]:
    """A regular verb's third person, past and participle; of a phrase its first word's."""
    head, space, rest = verb.partition(" ")
    tail = space + rest
    third = plural(head)
    if head.endswith("e"):
        stem = head[:-1]
        made = [third, f"{stem}ed", f"{stem}ing"]
    elif head.endswith("y") and head[-2] not in _VOWELS:
        made = [third, f"{head[:-1]}ied", f"{head}ing"]
    else:
        stem = head + head[-1] if head in _DOUBLING else head
        made = [third, f"{stem}ed", f"{stem}ing"]
    return [one + tail for one in made]
