"""The lexicon: the weights of words and phrases, from `data/lexicon.csv`. Pure once loaded.

The kinds of terms in the file:

    move      a quantity rises or falls ("soars"); the weight is for a desirable quantity
    change    somebody raises or lowers a quantity ("cuts"); neutral until the quantity is known
    noun      a quantity: 1 if more of it is good, -1 if less is, 0 if it does not matter
    beat      is better or worse than a mark
    mark      what results are compared with: estimates, expectations
    tone      good or bad by itself
    negate    partly reverses what follows
    scale     strengthens or weakens what follows or precedes
    aside     makes what follows count less, such as a cause or a concession
    but       makes what precedes count less

`forms` is `v` or `n` for the regular forms of a verb or noun, or a list of the forms.
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
"""A term has at most one meaning per role: "target" is a noun and a mark."""
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
    """Terms, by their first word."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._roles: list[dict[str, list[Term]]] = [{} for _ in ROLES]
        self._size = 0
        for term in terms:
            (role,) = (at for at, kinds in enumerate(ROLES) if term.kind in kinds)
            self._roles[role].setdefault(term.words[0], []).append(term)
            self._size += 1
        for index in self._roles:
            for terms_of_word in index.values():
                terms_of_word.sort(key=lambda term: -len(term.words))

    def __len__(self) -> int:
        return self._size

    def at(self, tokens: Sequence[str], place: int, role: int) -> Term | None:
        """The longest term of a role that begins at a place."""
        for term in self._roles[role].get(tokens[place], ()):
            if tuple(tokens[place : place + len(term.words)]) == term.words:
                return term
        return None


@cache
def standard() -> Lexicon:
    """The lexicon in the file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return Lexicon(parse(lines))


def parse(lines: Iterable[str]) -> list[Term]:
    """The terms of all rows, one for each form.

    Raises:
        ValueError: a row is wrong, or repeats a term.
    """
    terms: dict[tuple[tuple[str, ...], int], Term] = {}
    seen_rows: set[tuple[str, int]] = set()
    for row in csv.DictReader(lines):
        kind: Kind = row["kind"]  # type: ignore[assignment]
        if kind not in get_args(Kind):
            raise ValueError(f"{row['term']}: unknown kind: {kind}")
        role = next(at for at, kinds in enumerate(ROLES) if kind in kinds)
        if (row["term"], role) in seen_rows:
            raise ValueError(f"{row['term']}: repeated")
        seen_rows.add((row["term"], role))
        for form in _forms(row["term"], row["forms"]):
            term = Term(tuple(words.tokens(form)), kind, float(row["weight"]))
            # The earlier row gets a form that two rows share, such as "losses".
            terms.setdefault((term.words, role), term)
    return list(terms.values())


def _forms(term: str, spec: str) -> list[str]:
    match spec:
        case "":
            return [term]
        case "v":
            return [term, *verb_forms(term)]
        case "n":
            return [term, plural(term)]
    if " " not in term:
        return [term, *spec.split()]
    # The forms of a phrase follow each other, each with the same number of words.
    size = len(term.split())
    spelled = spec.split()
    return [term, *(" ".join(spelled[at : at + size]) for at in range(0, len(spelled), size))]


def plural(noun: str) -> str:
    """A noun's regular plural, or a phrase with its last word in the plural."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def verb_forms(verb: str) -> list[str]:
    """A verb's regular third person, past and participle; in a phrase, of its first word."""
    head, space, rest = verb.partition(" ")
    tail = space + rest
    third = plural(head)
    if head.endswith("e"):
        stem = head[:-1]
        forms = [third, f"{stem}ed", f"{stem}ing"]
    elif head.endswith("y") and head[-2] not in _VOWELS:
        forms = [third, f"{head[:-1]}ied", f"{head}ing"]
    else:
        stem = head + head[-1] if head in _DOUBLING else head
        forms = [third, f"{stem}ed", f"{stem}ing"]
    return [form + tail for form in forms]
