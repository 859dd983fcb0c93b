"""decide(view, event, policy) -> (view, action): what an instance does to become a member.

One action at a time, for ever. Rule: nothing here gives up or exits; whatever may heal is
tried again, each time later, up to the policy's longest pause.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from agent.actions import Action, Ask, Join, LeaveByForce, LookAtEngine, Pause
from agent.events import (
    AskFailed,
    Denied,
    EngineAway,
    EngineSeen,
    Event,
    Granted,
    JoinFailed,
    Paused,
)
from agent.model import Policy, View
from wire.messages import DenialCode

_SAME_CLOCK: Final = timedelta(seconds=1)


def decide(view: View, event: Event, policy: Policy) -> tuple[View, Action]:
    """Answer one event with the next action."""
    match event:
        case Paused():
            return view, LookAtEngine(_standing(view))
        case EngineSeen():
            return _seen(view, event, policy)
        case EngineAway(reason=reason):
            is_starting = view.away < policy.engine_looks
            pause = policy.engine_pause if is_starting else policy.look_every
            view = replace(view, last_problem=reason, away=view.away + 1)
            return view, Pause(pause, pause, reason)
        case Granted(ticket=ticket):
            return view, Join(ticket, f"joining the swarm at {ticket.managers[0]}")
        case Denied():
            return _denied(view, event, policy)
        case AskFailed(reason=reason):
            return _try_later(view, reason, policy)
        case JoinFailed(reason=reason):
            return _try_later(view, f"the join failed: {reason}", policy)
        case _:
            raise TypeError(f"no decision is made on {type(event).__name__}")


def _standing(view: View) -> str:
    """The status while nothing is under way; the same at every look, so it is logged once."""
    if view.is_member:
        return "a member of the swarm"
    return view.last_problem or "asking the engine how it is"


def _seen(view: View, event: EngineSeen, policy: Policy) -> tuple[View, Action]:
    if event.state != "pending":
        view = replace(view, pending_since=None)
    was_leaving = view.is_leaving
    view = replace(view, is_member=event.state == "active", is_leaving=False, away=0)
    match event.state:
        case "active":
            member = replace(view, failures=0, last_problem="")
            look = policy.look_every
            return member, Pause(look, look, _standing(member))
        case "inactive":
            return view, Ask(policy.role, view.clock_offset, f"asking to join as {policy.role}")
        case "error":
            reason = f"the engine is half joined: {event.error}"
            if was_leaving:
                return _try_later(view, reason, policy)
            return replace(view, is_leaving=True), LeaveByForce(reason)
        case "pending":
            return _pending(view, event.at, policy)
        case "locked":
            return view, Pause(
                policy.longest_pause,
                policy.longest_pause,
                "the swarm is locked: a person must run `docker swarm unlock`",
            )


def _pending(view: View, at: datetime, policy: Policy) -> tuple[View, Action]:
    """A join goes on in the background; if its managers are gone it does so for ever."""
    since = view.pending_since or at
    if at - since >= policy.pending_at_most:
        return (
            replace(view, pending_since=None, is_leaving=True),
            LeaveByForce(f"the engine has been pending for {policy.pending_at_most}"),
        )
    return (
        replace(view, pending_since=since),
        Pause(policy.first_pause, policy.first_pause, "the engine is joining"),
    )


def _denied(view: View, event: Denied, policy: Policy) -> tuple[View, Action]:
    reason = f"the leader denies: {event.code}"
    if event.code == DenialCode.STALE and abs(event.leader_offset) > _SAME_CLOCK:
        off = round(event.leader_offset.total_seconds())
        if abs(view.clock_offset - event.leader_offset) > _SAME_CLOCK:
            # Signing by the leader's clock lets us in; the clock itself is for others to mend.
            return (
                replace(view, clock_offset=event.leader_offset),
                Ask(
                    policy.role,
                    event.leader_offset,
                    f"our clock is {off} s off the leader's; asking by the leader's",
                ),
            )
        reason = f"{reason}; our clock is {off} s off the leader's"
    view, pause = _try_later(view, reason, policy)
    least = max(event.retry_after, pause.least)
    return view, replace(pause, least=least, most=max(pause.most, least * 1.5))


def _try_later(view: View, reason: str, policy: Policy) -> tuple[View, Pause]:
    failures = view.failures + 1
    most = min(policy.first_pause * 2 ** min(failures - 1, 10), policy.longest_pause)
    return (
        replace(view, failures=failures, last_problem=reason),
        Pause(most / 10, most, f"{reason}; trying again"),
    )
