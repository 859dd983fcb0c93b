"""Decides what to do about the session's state. Pure: events carry the time; no randomness.

Rules: one alarm when the session is lost and one message when it returns. A session is lost only
after `lost_after_seconds`, because Interactive Brokers resets its servers every night for minutes.
A competing session is never taken over. After a 429, nothing is sent for the whole penalty: more
requests could get our address banned for good.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

SessionState = Literal["well", "lapsed", "competing", "logged out", "away", "paced"]
"""Re-authentication helps with `lapsed` only."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait."""

    lost_after_seconds: float
    first_retry_seconds: float = 5.0
    """From a failed re-authentication to the next one; doubles each time."""
    retry_ceiling_seconds: float = 600.0
    penalty_seconds: float = 900.0
    """Documented as fifteen minutes."""
    after_refresh_seconds: float = 2.0
    """How long the gateway takes to show the result of a re-authentication in its status."""


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """The result of one tickle and one request for the status."""

    at: datetime
    state: SessionState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Ask the gateway to re-authenticate, and check again `check_again_seconds` later."""

    reason: str
    check_again_seconds: float


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """Alert people that the session is lost."""

    reason: str
    since: datetime
    state: SessionState


@dataclass(frozen=True, slots=True)
class EndAlarm:
    """Tell them that it is back."""

    reason: str
    since: datetime


Action = Reauthenticate | RaiseAlarm | EndAlarm


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one check to the next."""

    last_check: SessionCheck | None = None
    bad_since: datetime | None = None
    is_alarmed: bool = False
    tries: int = 0
    """Re-authentications since the session last worked."""
    try_from: datetime | None = None
    """No re-authentication starts before this."""

    @property
    def is_up(self) -> bool:
        """Whether the session worked at the last check."""
        return self.last_check is not None and self.last_check.state == "well"


def decide(
    memory: Memory, event: SessionCheck, policy: Policy
) -> tuple[Memory, tuple[Action, ...]]:
    """What to remember and what to do after a check."""
    if event.state == "well":
        return _well(memory, event)
    since = memory.bad_since or event.at
    after = replace(memory, last_check=event, bad_since=since)
    actions: list[Action] = []
    if event.state == "lapsed" and (memory.try_from is None or event.at >= memory.try_from):
        pause = min(policy.first_retry_seconds * 2**memory.tries, policy.retry_ceiling_seconds)
        after = replace(after, tries=memory.tries + 1, try_from=event.at + timedelta(seconds=pause))
        actions.append(
            Reauthenticate(
                reason="connected but not authenticated",
                check_again_seconds=policy.after_refresh_seconds,
            )
        )
    if not memory.is_alarmed and event.at - since >= timedelta(seconds=policy.lost_after_seconds):
        after = replace(after, is_alarmed=True)
        actions.append(RaiseAlarm(reason=_reason(event), since=since, state=event.state))
    return after, tuple(actions)


def _well(memory: Memory, event: SessionCheck) -> tuple[Memory, tuple[Action, ...]]:
    after = Memory(last_check=event)
    if not memory.is_alarmed:
        return after, ()
    since = memory.bad_since or event.at
    return after, (EndAlarm(reason="the brokerage session works again", since=since),)


def next_check_seconds(
    memory: Memory, policy: Policy, *, at: datetime, every_seconds: float
) -> float:
    """Seconds until the next check, which comes early when a re-authentication is due."""
    if memory.last_check is None:
        return every_seconds
    if memory.last_check.state == "paced":
        return max(every_seconds, policy.penalty_seconds)
    if memory.last_check.state != "lapsed" or memory.try_from is None:
        return every_seconds
    return min(every_seconds, max((memory.try_from - at).total_seconds(), 0.0))


def _reason(event: SessionCheck) -> str:
    reasons = {
        "lapsed": "the session lapsed and re-authentication does not help",
        "competing": "the same user has a session elsewhere",
        "logged out": "nobody is logged in at the gateway: a person must log in there",
        "away": "the gateway does not answer",
        "paced": "the gateway reports too many requests",
    }
    return reasons.get(event.state, event.state)
