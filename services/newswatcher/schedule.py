"""When a feed is looked at next, and what is remembered of the last look. Pure.

Rule: chance comes in as a number of 0…1 and time with the event. A feed that fails is asked ever
more seldom, and never sooner than its server asked for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.stores.article import Moment

CEILING_SECONDS: Final = 6 * 3600.0
"""The longest pause after failures."""
LONGEST_WISH_SECONDS: Final = 24 * 3600.0
"""A server that asks for more than this is misconfigured."""
GONE_SECONDS: Final = 24 * 3600.0
"""After 410: somebody may put it back."""
FIRST_LOOKS_SECONDS: Final = 10.0
"""All feeds' first looks are spread over this."""
MOVED_FAILURES: Final = 3
"""A permanent redirect whose target failed so often is forgotten."""
_JITTER: Final = 0.1
_REMEMBERED: Final = 500
"""Entries remembered besides those the feed has now: some feeds bring old ones back."""


class FeedState(BaseModel):
    """What outlives a restart, of one feed."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str = Field(alias="_id")
    rev: str | None = Field(default=None, alias="_rev")
    name: str
    url: str
    moved_to: str | None = None
    """Where permanent redirects lead."""
    etag: str | None = None
    modified: str | None = None
    last_look: Moment | None = None
    last_success: Moment | None = None
    failures: int = 0
    """In a row."""
    next_look: Moment | None = None
    reason: str = "not looked at yet"
    """Of the state it is in, for people."""
    seen: dict[str, str] = Field(default_factory=dict)
    """Digest by key of each entry whose article is written, oldest first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The feed was read."""

    at: datetime
    entries: int
    filed: int
    keys: tuple[str, ...]
    """Of the entries it has now."""
    etag: str | None = None
    modified: str | None = None
    moved_to: str | None = None
    is_complete: bool = True
    """Whether every entry is seen now."""
    wait_seconds: float = 0.0
    """What a server of its articles asked for."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """304."""

    at: datetime
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not read."""

    at: datetime
    reason: str
    wait_seconds: float | None = None
    """What the server asked for."""
    is_gone: bool = False


Outcome = Answered | Unchanged | Failed


def after(state: FeedState, outcome: Outcome, *, every_seconds: float, draw: float) -> FeedState:
    """What is known of the feed after a look."""
    spread = 1 - _JITTER + 2 * _JITTER * draw
    match outcome:
        case Failed():
            return _after_failure(state, outcome, every_seconds=every_seconds, draw=draw)
        case Unchanged(at=at, moved_to=moved_to):
            return _well(state, at, every_seconds * spread).model_copy(
                update={"moved_to": moved_to, "reason": "nothing new"}
            )
        case Answered(at=at):
            wished = min(outcome.wait_seconds, LONGEST_WISH_SECONDS)
            whole = outcome.is_complete
            more = "" if whole else ", more at the next look"
            return _well(state, at, max(every_seconds * spread, wished)).model_copy(
                update={
                    "moved_to": outcome.moved_to,
                    # An answer to a condition says nothing of entries that are not seen yet.
                    "etag": outcome.etag if whole else None,
                    "modified": outcome.modified if whole else None,
                    "reason": f"{outcome.filed} of {outcome.entries} entries were new{more}",
                    "seen": remembered(state.seen, outcome.keys),
                }
            )


def _well(state: FeedState, at: datetime, pause: float) -> FeedState:
    return state.model_copy(
        update={
            "last_look": at,
            "last_success": at,
            "failures": 0,
            "next_look": at + timedelta(seconds=pause),
        }
    )


def _after_failure(
    state: FeedState, outcome: Failed, *, every_seconds: float, draw: float
) -> FeedState:
    failures = state.failures + 1
    # Capped before it is raised: a feed may fail for years.
    pause = min(every_seconds * 2.0 ** min(failures, 30), max(CEILING_SECONDS, every_seconds))
    if outcome.is_gone:
        pause = max(GONE_SECONDS, every_seconds)
    pause *= 1 - 2 * _JITTER * draw
    if outcome.wait_seconds is not None:
        wished = min(outcome.wait_seconds, LONGEST_WISH_SECONDS)
        pause = max(pause, wished * (1 + _JITTER * draw))
    return state.model_copy(
        update={
            "last_look": outcome.at,
            "failures": failures,
            "next_look": outcome.at + timedelta(seconds=pause),
            "reason": outcome.reason,
            "moved_to": None if failures >= MOVED_FAILURES else state.moved_to,
        }
    )


def pause_seconds(state: FeedState, *, now: datetime, every_seconds: float, draw: float) -> float:
    """How long until the next look: also right after a restart, whose clock may be another."""
    if state.next_look is None:
        return min(FIRST_LOOKS_SECONDS, every_seconds) * draw
    pause = (state.next_look - now).total_seconds()
    longest = every_seconds * (1 + _JITTER)
    if state.failures:
        longest = max(longest, LONGEST_WISH_SECONDS * (1 + _JITTER))
    elif state.last_look is not None:
        # A server of its articles may have asked for more than the feed's own pause.
        longest = max(longest, (state.next_look - state.last_look).total_seconds())
    return max(0.0, min(pause, longest))


def remembered(seen: dict[str, str], keys: tuple[str, ...]) -> dict[str, str]:
    """Without the oldest of what the feed does not have any more."""
    now = set(keys)
    past = [key for key in seen if key not in now][-_REMEMBERED:]
    return {key: seen[key] for key in past} | {key: seen[key] for key in keys if key in seen}
