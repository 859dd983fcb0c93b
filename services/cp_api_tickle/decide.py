"""Decides what to do after each session check. This module does no I/O.

Rules: send one alarm when the session is lost, and one message when it is working again. A session
counts as lost after `lost_after_seconds`, which should be longer than the nightly server reset
at Interactive Brokers. Never take over a competing session. After a 429 response, send no requests
until the penalty is over, because further requests could get our address banned permanently.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

SessionState = Literal["well", "lapsed", "competing", "logged out", "not allowed", "away", "paced"]
"""Re-authentication helps only if the state is `lapsed`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait before retrying and before raising an alarm, in seconds."""

    lost_after_seconds: float
    first_retry_seconds: float = 5.0
    """The pause after the first failed re-authentication. Each further failure doubles it."""
    retry_ceiling_seconds: float = 600.0
    penalty_seconds: float = 900.0
    """The gateway's documented penalty is fifteen minutes."""
    after_refresh_seconds: float = 2.0
    """How long the gateway takes to update its status after a re-authentication."""


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """The result of a session check. A check consists of a tickle and a status request."""

    at: datetime
    state: SessionState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Ask the gateway to re-authenticate, then check again after `check_again_seconds`."""

    reason: str
    check_again_seconds: float


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """Alert people that the session has been lost."""

    reason: str
    since: datetime
    state: SessionState


@dataclass(frozen=True, slots=True)
class EndAlarm:
    """Tell people that the session is working again."""

    reason: str
    since: datetime


Action = Reauthenticate | RaiseAlarm | EndAlarm


@dataclass(frozen=True, slots=True)
class Memory:
    """State kept between checks."""

    last_check: SessionCheck | None = None
    bad_since: datetime | None = None
    is_alarmed: bool = False
    tries: int = 0
    """How many re-authentications were tried since the session last worked."""
    try_from: datetime | None = None
    """The earliest time for the next re-authentication."""

    @property
    def is_up(self) -> bool:
        """Return whether the session was working at the last check."""
        return self.last_check is not None and self.last_check.state == "well"


def decide(
    memory: Memory, event: SessionCheck, policy: Policy
) -> tuple[Memory, tuple[Action, ...]]:
    """Return the state to keep and the actions to perform after a check."""
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
    return after, (EndAlarm(reason="the brokerage session is working again", since=since),)


def next_check_seconds(
    memory: Memory, policy: Policy, *, at: datetime, every_seconds: float
) -> float:
    """Return the number of seconds until the next check or re-authentication."""
    if memory.last_check is None:
        return every_seconds
    if memory.last_check.state == "paced":
        return max(every_seconds, policy.penalty_seconds)
    if memory.last_check.state != "lapsed" or memory.try_from is None:
        return every_seconds
    return min(every_seconds, max((memory.try_from - at).total_seconds(), 0.0))


def _reason(event: SessionCheck) -> str:
    reasons = {
        "lapsed": "the session has lapsed and re-authentication did not help",
        "competing": "the same user has a session elsewhere",
        "logged out": "nobody is logged in to the gateway; a person must log in there",
        "not allowed": "the gateway does not allow this address; add it to the list `allow` in the"
        " gateway's conf.yaml (GATEWAY_ALLOW)",
        "away": "the gateway does not respond",
        "paced": "the gateway reports too many requests",
    }
    return reasons.get(event.state, event.state)
