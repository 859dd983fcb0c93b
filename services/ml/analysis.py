"""Analyses one article. The same text always gives the same analysis.

Rule: the time is proportional to the length of the texts, whatever they contain.
"""

from datetime import datetime
from typing import Final

from services.ml import sentiment, symbols, topics
from services.ml.version import VERSION
from services.stores.article import Analysis

_MOST_CHARACTERS: Final = 50_000
_TITLE_CHARACTERS: Final = 500
_SUMMARY_CHARACTERS: Final = 2_000
"""newswatcher writes no longer texts. Other documents must not take longer than its articles."""


def analyse(*, title: str, summary: str, text: str, of: str, at: datetime) -> Analysis:
    """Return the article's analysis. `of` is the hash of the article's content."""
    title, summary = title[:_TITLE_CHARACTERS], summary[:_SUMMARY_CHARACTERS]
    body = (text or summary)[:_MOST_CHARACTERS]
    value = sentiment.score(title, body)
    return Analysis(
        version=VERSION,
        of=of,
        score=value,
        label=sentiment.label(value),
        symbols=tuple(symbols.find(title, summary, body)),
        topics=tuple(topics.find(title, body)),
        at=at,
    )
