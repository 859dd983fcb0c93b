"""What to do about what the gateway said. Pure: time is in the events, chance is in the shell.

Rules: one alarm per loss and one word on its end; a loss is one only after `lost_after_seconds`,
for the broker resets its servers every night and they are back in minutes. A competing session
is never taken over. When the gateway says that we ask too much, nothing is asked for the whole
penalty: asking on may shut our address out for good.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

SessionState = Literal["well", "lapsed", "competing", "logged out", "away", "paced"]
"""`lapsed` is the only one that asking to re-authenticate can end."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient to be."""

    lost_after_seconds: float
    first_retry_seconds: float = 5.0
    """From one re-authentication that did not help to the next; it doubles each time."""
    retry_ceiling_seconds: float = 600.0
    penalty_seconds: float = 900.0
    """Documented as fifteen minutes."""
    after_refresh_seconds: float = 2.0
    """The gateway needs a moment before the status shows what re-authentication did."""


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """The gateway was tickled and its status asked, or was away."""

    at: datetime
    state: SessionState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Ask the gateway for the brokerage session again; look again `look_again_seconds` later."""

    reason: str
    look_again_seconds: float


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """Tell people that the session is lost."""

    reason: str
    since: datetime
    state: SessionState


@dataclass(frozen=True, slots=True)
class EndAlarm:
    """Tell the same people that it is back."""

    reason: str
    since: datetime


Action = Reauthenticate | RaiseAlarm | EndAlarm


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered between two looks."""

    seen: SessionSeen | None = None
    """The last look."""
    bad_since: datetime | None = None
    is_alarmed: bool = False
    tries: int = 0
    """Re-authentications since the session was last well."""
    try_from: datetime | None = None
    """No re-authentication before this."""

    @property
    def is_up(self) -> bool:
        """Whether the last look found the session well."""
        return self.seen is not None and self.seen.state == "well"


def decide(watch: Watch, event: SessionSeen, policy: Policy) -> tuple[Watch, tuple[Action, ...]]:
    """Answer one look: what to remember, and what to do."""
    if event.state == "well":
        return _well(watch, event)
    since = watch.bad_since or event.at
    after = replace(watch, seen=event, bad_since=since)
    actions: list[Action] = []
    if event.state == "lapsed" and (watch.try_from is None or event.at >= watch.try_from):
        pause = min(policy.first_retry_seconds * 2**watch.tries, policy.retry_ceiling_seconds)
        after = replace(after, tries=watch.tries + 1, try_from=event.at + timedelta(seconds=pause))
        actions.append(
            Reauthenticate(
                reason="connected and not authenticated",
                look_again_seconds=policy.after_refresh_seconds,
            )
        )
    if not watch.is_alarmed and event.at - since >= timedelta(seconds=policy.lost_after_seconds):
        after = replace(after, is_alarmed=True)
        actions.append(RaiseAlarm(reason=_reason(event), since=since, state=event.state))
    return after, tuple(actions)


def _well(watch: Watch, event: SessionSeen) -> tuple[Watch, tuple[Action, ...]]:
    after = Watch(seen=event)
    if not watch.is_alarmed:
        return after, ()
    since = watch.bad_since or event.at
    return after, (EndAlarm(reason="the broker's session is well again", since=since),)


def next_look_seconds(watch: Watch, policy: Policy, *, at: datetime, every_seconds: float) -> float:
    """How long until the next look: sooner when a re-authentication is due before that."""
    if watch.seen is None:
        return every_seconds
    if watch.seen.state == "paced":
        return max(every_seconds, policy.penalty_seconds)
    if watch.seen.state != "lapsed" or watch.try_from is None:
        return every_seconds
    return min(every_seconds, max((watch.try_from - at).total_seconds(), 0.0))


def _reason(event: SessionSeen) -> str:
    told = {
        "lapsed": "the session lapsed and re-authentication does not help",
        "competing": "the same user has a session elsewhere",
        "logged out": "nobody is logged in at the gateway: a person must log in there",
        "away": "the gateway does not answer",
        "paced": "the gateway says that we ask too much",
    }
    return told.get(event.state, event.state)
