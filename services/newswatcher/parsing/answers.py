"""What the parser's process answers. The client validates it, because the process is not trusted.

This module does no I/O.
"""

from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.newswatcher.reading import entries, page, robots_txt
from services.newswatcher.reading.canonical import MOST_CHARACTERS
from services.newswatcher.reading.entries import Entry, NotAFeedError

OUT_OF_MEMORY: Final = "memory"
_MOST_REASONS: Final = 10


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParsedFeed(_Answer):
    """The entries of a feed, and what became of the others."""

    entries: tuple[Entry, ...] = Field(max_length=entries.MOST_ENTRIES)
    refused: int = Field(ge=0)
    """The number of entries that could not be read."""
    reasons: tuple[str, ...] = ()
    """The kinds of errors that these entries raised, without any text of the feed."""


class ParsedPage(_Answer):
    """The article and the canonical link found on a page."""

    text: str
    canonical_link: str | None


class RobotsVerdict(_Answer):
    """What a robots.txt file says about one URL."""

    is_allowed: bool
    delay_seconds: float | None = Field(gt=0, allow_inf_nan=False)


class Failure(_Answer):
    """The text could not be parsed."""

    failure: str = Field(max_length=MOST_CHARACTERS)
    is_not_a_feed: bool = False


def answer(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the answer to any request, as JSON values. Only MemoryError is raised."""
    try:
        return _parsed(request, body)
    except MemoryError:
        raise
    except NotAFeedError as exc:
        return Failure(failure=str(exc), is_not_a_feed=True).model_dump()
    except Exception as exc:  # noqa: BLE001  the text may contain anything
        return Failure(failure=f"the parser raised {type(exc).__name__}").model_dump()


def _parsed(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    match request:
        case {"kind": "feed", "url": str(url), "content_type": str(content_type)}:
            errors: list[str] = []
            parsed = entries.parse(
                body,
                url=url,
                content_type=content_type,
                on_refused=lambda error: errors.append(type(error).__name__),
            )
            return ParsedFeed(
                entries=parsed,
                refused=len(errors),
                reasons=tuple(sorted(set(errors))[:_MOST_REASONS]),
            ).model_dump(mode="json")
        case {"kind": "page", "content_type": str(content_type)}:
            return asdict(page.parse(body, content_type=content_type))
        case {"kind": "robots", "url": str(url), "robot": str(robot)}:
            return asdict(robots_txt.parse(body, url=url, robot=robot))
    return Failure(failure="the request is unknown").model_dump()
