"""Scores how good or bad the news in a text is, based mainly on what rises and what falls.

The same text always gets the same score.

Rule: whether a rise or fall is good news depends on the quantity. Falling costs are good news, but
falling orders are bad news. A quantity that has determined the sign of a rise or fall, such as
"loss", is not counted again. The time is proportional to the length of a sentence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.ml import words
from services.ml.lexicon import Lexicon, Term, standard
from services.stores.article import Label

POSITIVE_FROM: Final = 0.15
"""The lowest positive score; scores between -0.15 and 0.15 are neutral."""
_HEADLINE: Final = 0.7
_HEADLINE_ALONE: Final = 0.85
"""The factor for the headline's score if the text is neutral."""
_TEXT_ALONE: Final = 0.4
_QUESTION: Final = 0.6
_SENTENCES: Final = 60
_REACH: Final = 5
_MARK_REACH: Final = 7
_NEGATION_REACH: Final = 4
_SCALE_REACH: Final = 2
_NOTHING_MOVED: Final = 0.8
_NO_MARK: Final = 0.6
_BEARING, _NOUN, _MARK, _SHAPING = range(4)
_CLAUSES: Final = frozenset(
    {
        *("after", "although", "amid", "as", "because", "but", "despite", "due", "following"),
        *("on", "over", "though", "when", "while"),
    }
)


@dataclass(slots=True)
class _Hit:
    """A lexicon term found in a sentence, and its signed value."""

    start: int
    end: int
    term: Term
    value: float


def score(title: str, text: str, *, lexicon: Lexicon | None = None) -> float:
    """Return a score from -1 (bad news) to 1 (good news). The headline counts most."""
    known = lexicon or standard()
    head = _squashed(weigh(words.tokens(title), known))
    if title.rstrip().endswith("?"):
        head *= _QUESTION
    values = [
        value
        for sentence in words.sentences(text)[:_SENTENCES]
        if (value := weigh(words.tokens(sentence), known))
    ]
    if not values:
        return round(_HEADLINE_ALONE * head if text else head, 4)
    # Long articles contain more words of every kind, so use the mean, not the sum.
    body = _squashed(sum(values) / len(values) * math.sqrt(min(len(values), 4)))
    if head == 0:
        return round(_TEXT_ALONE * body, 4)
    return round(_HEADLINE * head + (1 - _HEADLINE) * body, 4)


def label(value: float) -> Label:
    """Return the label for a score."""
    if value >= POSITIVE_FROM:
        return "positive"
    return "negative" if value <= -POSITIVE_FROM else "neutral"


def weigh(tokens: Sequence[str], lexicon: Lexicon) -> float:
    """Return the score of one sentence. The score may be outside the range from -1 to 1."""
    hits = _hits(tokens, lexicon)
    taken = _resolve(hits, tokens, lexicon)
    surroundings = _Surroundings(tokens, lexicon)
    total = 0.0
    for hit in hits:
        if hit.term.kind == "tone" and any(at in taken for at in range(hit.start, hit.end)):
            continue
        total += hit.value * surroundings.factor(hit)
    return total


def _squashed(value: float) -> float:
    return math.tanh(value / 2)


def _hits(tokens: Sequence[str], lexicon: Lexicon) -> list[_Hit]:
    hits: list[_Hit] = []
    at = 0
    while at < len(tokens):
        term = lexicon.at(tokens, at, _BEARING)
        if term is None:
            at += 1
            continue
        hits.append(_Hit(at, at + len(term.words), term, term.weight))
        at += len(term.words)
    return hits


def _resolve(hits: Sequence[_Hit], tokens: Sequence[str], lexicon: Lexicon) -> set[int]:
    """Set the sign of each rise or fall, and return the positions of the quantities involved."""
    taken: set[int] = set()
    for hit in hits:
        kind = hit.term.kind
        if kind == "beat":
            if not _has_mark(hit, tokens, lexicon):
                hit.value *= _NO_MARK
        elif kind in ("move", "change"):
            moved = _moved(hit, tokens, lexicon)
            if moved is None:
                hit.value *= _NOTHING_MOVED if kind == "move" else 0.0
            else:
                place, noun = moved
                hit.value *= noun.weight
                taken |= set(range(place, place + len(noun.words)))
    return taken


def _moved(hit: _Hit, tokens: Sequence[str], lexicon: Lexicon) -> tuple[int, Term] | None:
    """Find the quantity that rises or falls. Return its position and its term, or None.

    The quantity usually precedes a verb such as "rises" and follows a verb such as "raises".
    """
    searches = [_before, _behind] if hit.term.kind == "move" else [_behind, _before]
    for search in searches:
        quantity = search(hit, tokens, lexicon)
        if quantity is not None:
            return quantity
    return None


def _behind(hit: _Hit, tokens: Sequence[str], lexicon: Lexicon) -> tuple[int, Term] | None:
    for place in range(hit.end, min(len(tokens), hit.end + _REACH)):
        if _ends_clause(tokens[place]):
            return None
        noun = lexicon.at(tokens, place, _NOUN)
        if noun is not None:
            return place, _head(place, noun, tokens, lexicon)
    return None


def _before(hit: _Hit, tokens: Sequence[str], lexicon: Lexicon) -> tuple[int, Term] | None:
    for place in range(hit.start - 1, max(-1, hit.start - 1 - _REACH), -1):
        if _ends_clause(tokens[place]):
            return None
        # The search runs right to left, so it reaches "claims" in "jobless claims" first.
        for start in range(max(0, place - 2), place + 1):
            noun = lexicon.at(tokens, start, _NOUN)
            if noun is not None and start + len(noun.words) > place:
                return start, noun
    return None


def _head(place: int, noun: Term, tokens: Sequence[str], lexicon: Lexicon) -> Term:
    """Return the noun that determines the sign, such as "tax" in "dividend tax"."""
    after = place + len(noun.words)
    if after < len(tokens):
        following = lexicon.at(tokens, after, _NOUN)
        if following is not None:
            return Term(noun.words + following.words, "noun", following.weight)
    return noun


def _has_mark(hit: _Hit, tokens: Sequence[str], lexicon: Lexicon) -> bool:
    return any(
        lexicon.at(tokens, place, _MARK) is not None
        for place in range(hit.end, min(len(tokens), hit.end + _MARK_REACH))
    )


def _ends_clause(token: str) -> bool:
    return words.is_stop(token) or token in _CLAUSES


class _Surroundings:
    """The words that change the values of the terms around them, in one sentence.

    Causes and concessions ("despite") affect everything up to the end of their clause, and "but"
    everything before it. What a term needs to know about them is computed once, for all terms.
    """

    def __init__(self, tokens: Sequence[str], lexicon: Lexicon) -> None:
        self._tokens = tokens
        self._terms = [lexicon.at(tokens, at, _SHAPING) for at in range(len(tokens))]
        self._asides = self._aside_factors()
        self._buts = self._but_factors()

    def factor(self, hit: _Hit) -> float:
        """Return the factor by which the surrounding words change a term's value."""
        factor = self._asides[hit.start] * self._buts[hit.end]
        for away in range(1, min(_NEGATION_REACH, hit.start) + 1):
            place = hit.start - away
            if words.is_stop(self._tokens[place]):
                break
            term = self._terms[place]
            if term is None or place + len(term.words) > hit.start:
                continue
            if term.kind == "negate" or (term.kind == "scale" and away <= _SCALE_REACH):
                factor *= term.weight
        following = self._terms[hit.end] if hit.end < len(self._terms) else None
        if following is not None and following.kind == "scale":
            factor *= following.weight
        return factor

    def _aside_factors(self) -> list[float]:
        """Return, for each place, the factor of the asides that precede it in its clause."""
        ending: dict[int, float] = {}
        factors = [1.0]
        factor = 1.0
        for place, (token, term) in enumerate(zip(self._tokens, self._terms, strict=True)):
            if words.is_stop(token):
                factor = 1.0
                ending.clear()
            elif term is not None and term.kind == "aside":
                end = place + len(term.words)
                ending[end] = ending.get(end, 1.0) * term.weight
            factor *= ending.pop(place + 1, 1.0)
            factors.append(factor)
        return factors

    def _but_factors(self) -> list[float]:
        """Return, for each place, the factor of the first "but" at this place or after it."""
        factors = [1.0] * (len(self._terms) + 1)
        for place in range(len(self._terms) - 1, -1, -1):
            term = self._terms[place]
            is_but = term is not None and term.kind == "but"
            factors[place] = term.weight if term is not None and is_but else factors[place + 1]
        return factors
