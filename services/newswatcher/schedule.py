"""Decides when to poll a feed next, and what to remember about the feed. This module does no I/O.

The caller passes the current time and a random number from 0 to 1.

Rule: a failing feed is polled less and less often, and never sooner than its server allows.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.stores.article import Moment

CEILING_SECONDS: Final = 6 * 3600.0
"""The longest pause after failures."""
LONGEST_WAIT_SECONDS: Final = 24 * 3600.0
"""The longest pause that a server can request. Longer requests are assumed to be mistakes."""
GONE_SECONDS: Final = 24 * 3600.0
"""The pause after status 410, because the feed may come back."""
FIRST_POLLS_SECONDS: Final = 10.0
"""The period over which the first polls of all feeds are spread."""
MOVED_FAILURES: Final = 3
"""A permanent redirect is forgotten after its target has failed this many times in a row."""
_JITTER: Final = 0.1
_REMEMBERED: Final = 500
"""How many entries are remembered after they leave the feed, as some feeds repeat old entries."""


class FeedState(BaseModel):
    """The state of one feed, stored in CouchDB so that it survives restarts."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: str = Field(alias="_id")
    rev: str | None = Field(default=None, alias="_rev")
    name: str
    url: str
    moved_to: str | None = None
    """The target of the feed's permanent redirects."""
    etag: str | None = None
    modified: str | None = None
    last_look: Moment | None = None
    last_success: Moment | None = None
    failures: int = 0
    """The number of consecutive failures."""
    next_look: Moment | None = None
    reason: str = "not read yet"
    """The outcome of the last poll, in words."""
    seen: dict[str, str] = Field(default_factory=dict)
    """The digest of each entry whose article is stored, by the entry's key, oldest first."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The feed was read."""

    at: datetime
    entries: int
    stored: int
    keys: tuple[str, ...]
    """The keys of the entries that the feed currently contains."""
    etag: str | None = None
    modified: str | None = None
    moved_to: str | None = None
    is_complete: bool = True
    """Whether all entries have been seen."""
    wait_seconds: float = 0.0
    """The longest time that an article's server asked us to wait."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The feed has not changed (304)."""

    at: datetime
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The feed could not be read."""

    at: datetime
    reason: str
    wait_seconds: float | None = None
    """How long the feed's server asked us to wait."""
    is_gone: bool = False


Outcome = Answered | Unchanged | Failed


def after(state: FeedState, outcome: Outcome, *, every_seconds: float, draw: float) -> FeedState:
    """Return the feed's state after a poll."""
    spread = 1 - _JITTER + 2 * _JITTER * draw
    match outcome:
        case Failed():
            return _after_failure(state, outcome, every_seconds=every_seconds, draw=draw)
        case Unchanged(at=at, moved_to=moved_to):
            return _well(state, at, every_seconds * spread).model_copy(
                update={"moved_to": moved_to, "reason": "nothing new"}
            )
        case Answered(at=at):
            requested_seconds = min(outcome.wait_seconds, LONGEST_WAIT_SECONDS)
            is_complete = outcome.is_complete
            more = "" if is_complete else ", more at the next poll"
            return _well(state, at, max(every_seconds * spread, requested_seconds)).model_copy(
                update={
                    "moved_to": outcome.moved_to,
                    # With an ETag, the next response would not contain the unseen entries.
                    "etag": outcome.etag if is_complete else None,
                    "modified": outcome.modified if is_complete else None,
                    "reason": f"{outcome.stored} of {outcome.entries} entries were new{more}",
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
    # Limit the exponent, because a feed may fail for years.
    pause = min(every_seconds * 2.0 ** min(failures, 30), max(CEILING_SECONDS, every_seconds))
    if outcome.is_gone:
        pause = max(GONE_SECONDS, every_seconds)
    pause *= 1 - 2 * _JITTER * draw
    if outcome.wait_seconds is not None:
        requested_seconds = min(outcome.wait_seconds, LONGEST_WAIT_SECONDS)
        pause = max(pause, requested_seconds * (1 + _JITTER * draw))
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
    """Return the number of seconds until the next poll.

    The number has an upper limit, in case the clock was wrong when the state was saved.
    """
    if state.next_look is None:
        return min(FIRST_POLLS_SECONDS, every_seconds) * draw
    pause = (state.next_look - now).total_seconds()
    longest = every_seconds * (1 + _JITTER)
    if state.failures:
        longest = max(longest, LONGEST_WAIT_SECONDS * (1 + _JITTER))
    elif state.last_look is not None:
        # An article's server may have asked for a pause longer than the feed's interval.
        longest = max(longest, (state.next_look - state.last_look).total_seconds())
    return max(0.0, min(pause, longest))


def remembered(seen: dict[str, str], keys: tuple[str, ...]) -> dict[str, str]:
    """Return the entries already seen, minus the oldest ones that are no longer in the feed."""
    current = set(keys)
    past = [key for key in seen if key not in current][-_REMEMBERED:]
    return {key: seen[key] for key in past} | {key: seen[key] for key in keys if key in seen}
