"""The lexicon: the weights of words and phrases in `data/lexicon.csv`.

The file contains these kinds of terms:

    move      a quantity rises or falls ("soars"); the weight assumes that the quantity is desirable
    change    somebody raises or lowers a quantity ("cuts"); ignored if no quantity is named
    noun      a quantity; the weight is 1 if a rise is good news, -1 if it is bad news, otherwise 0
    beat      results are better or worse than a benchmark
    mark      a benchmark for results, such as estimates or expectations
    tone      good or bad news by itself
    negate    partly reverses the effect of the words that follow
    scale     strengthens or weakens the words before or after it
    aside     introduces a cause or a concession, and weakens the words that follow
    but       weakens the words before it

The column `forms` contains `v` for a regular verb, `n` for a regular noun, or a list of forms.
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
"""A word has at most one meaning per role: "target" is both a noun and a mark."""
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
    """A collection of terms, indexed for fast lookup."""

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
        """Return the longest term with the given role that begins at index `place`, or None."""
        for term in self._roles[role].get(tokens[place], ()):
            if tuple(tokens[place : place + len(term.words)]) == term.words:
                return term
        return None


@cache
def standard() -> Lexicon:
    """Load the lexicon from the data file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return Lexicon(parse(lines))


def parse(lines: Iterable[str]) -> list[Term]:
    """Return the terms in all rows: one term for each form of a word or phrase.

    Raises:
        ValueError: if a row is invalid or repeats a term.
    """
    terms: dict[tuple[tuple[str, ...], int], Term] = {}
    seen_rows: set[tuple[str, int]] = set()
    for row in csv.DictReader(lines):
        kind: Kind = row["kind"]  # type: ignore[assignment]
        if kind not in get_args(Kind):
            raise ValueError(f"{row['term']}: unknown kind: {kind}")
        role = next(at for at, kinds in enumerate(ROLES) if kind in kinds)
        if (row["term"], role) in seen_rows:
            raise ValueError(f"{row['term']}: this term is repeated")
        seen_rows.add((row["term"], role))
        for form in _forms(row["term"], row["forms"]):
            term = Term(tuple(words.tokens(form)), kind, float(row["weight"]))
            # If two rows share a form, such as "losses", the earlier row keeps it.
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
    # The forms of a phrase are listed one after another, all with the same number of words.
    size = len(term.split())
    spelled = spec.split()
    return [term, *(" ".join(spelled[at : at + size]) for at in range(0, len(spelled), size))]


def plural(noun: str) -> str:
    """Return the regular plural of a noun, or of the last word in a phrase."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def verb_forms(verb: str) -> list[str]:
    """Return a verb's regular third-person form, past tense and present participle.

    In a phrase, only the first word changes.
    """
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
