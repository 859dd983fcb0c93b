"""Splits texts into words, spelled as in the lexicon. This module does no I/O.

Numbers, including amounts and percentages, become `#`, because the lexicon contains no numbers.
Hyphens separate words, and `n't` becomes the word `not`.
"""

import re
from typing import Final

NUMBER: Final = "#"
_TOKEN: Final = re.compile(
    r"""
    (?P<number>\#|[$€£¥]?\d[\d,]*(?:\.\d+)?(?:%|st|nd|rd|th|k|m|mln|mn|bn|b|tn|trln|x)?(?!\w))
    | (?P<word>(?:[A-Za-z]\.){2,}|[^\W\d_]+(?:&[^\W\d_]+)?(?:['\u2019][^\W\d_]+)?\d*|\d+\w+)
    | (?P<mark>[.!?]+|[,;:()\u2014\u2013])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE: Final = re.compile(
    r"(?<=[.!?])[\"'\u201d\u2019)]*\s+(?=[\"'\u201c\u2018(]?[A-Z0-9$])|\n+"
)
_STOPS: Final = frozenset(",;:()\u2014\u2013")


def tokens(text: str) -> list[str]:
    """Return the text's words in lower case, its punctuation marks, and a `#` for each number."""
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        word = match[0].lower().replace("\u2019", "'")
        if match["number"]:
            # "3 percent" and "$3 billion" each become a single `#`.
            words.append(NUMBER)
        elif match["mark"]:
            words.append(word[0])
        elif word.endswith("n't"):
            stem = "can" if word == "can't" else word[:-3]
            words += [stem, "not"] if stem else ["not"]
        elif word in _UNITS and words and words[-1] == NUMBER:
            continue
        else:
            words.append(word.removesuffix("'s").replace(".", ""))
    return words


def sentences(text: str) -> list[str]:
    """Split the text into sentences.

    The split is approximate: a sentence may also be split after an abbreviation.
    """
    return [part for part in map(str.strip, _SENTENCE.split(text)) if part]


def is_stop(token: str) -> bool:
    """Return whether a clause ends at this token."""
    return token[0] in _STOPS or token[0] in ".!?"


_UNITS: Final = frozenset(
    ("percent", "pct", "million", "billion", "trillion", "points", "basis", "bps", "cents")
)
