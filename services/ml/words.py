"""Text to words, as the lexicon is written. Pure.

A number is `#`, with or without a sign, a currency or a percentage: what it is worth, a lexicon
cannot know. Hyphens part words, and `n't` is a word of its own: `not`.
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
    """Lower-case words, `#` for each number, and single marks of punctuation."""
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        told = match[0].lower().replace("\u2019", "'")
        if match["number"]:
            # "3 percent" and "$3 billion" are one number.
            found.append(NUMBER)
        elif match["mark"]:
            found.append(told[0])
        elif told.endswith("n't"):
            found += ["can" if told == "can't" else told[:-3], "not"]
        elif told in _UNITS and found and found[-1] == NUMBER:
            continue
        else:
            found.append(told.removesuffix("'s").replace(".", ""))
    return found


def sentences(text: str) -> list[str]:
    """Sentences, roughly: an abbreviation ends one, which a score does not mind."""
    return [one for one in (part.strip() for part in _SENTENCE.split(text)) if one]


def is_stop(token: str) -> bool:
    """Whether a clause ends at this token."""
    return token[0] in _STOPS or token[0] in ".!?"


_UNITS: Final = frozenset(
    ("percent", "pct", "million", "billion", "trillion", "points", "basis", "bps", "cents")
)
