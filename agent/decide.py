"""decide(view, event, policy) -> (view, action): how an instance becomes a member and leaves.

One action at a time, for ever. Rule: nothing here gives up or exits; whatever may heal is
tried again, each time later, up to the policy's longest pause. News only changes the view:
what follows from it is decided on the engine's state, which is looked at next.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from agent.actions import (
    Action,
    Ask,
    ComeBack,
    Join,
    Leave,
    LeaveByForce,
    LookAtEngine,
    Pause,
    PowerOff,
)
from agent.events import (
    AllClear,
    AskFailed,
    Denied,
    EngineAway,
    EngineSeen,
    Event,
    Granted,
    JoinFailed,
    NoticesChanged,
    Paused,
    ToldToLeave,
)
from agent.model import Announcement, Policy, View
from wire.messages import DenialCode, Role

_SAME_CLOCK: Final = timedelta(seconds=1)
_SHORTEST_PAUSE: Final = timedelta(milliseconds=100)
_SAID_EVERY: Final = timedelta(minutes=1)


def decide(view: View, event: Event, policy: Policy) -> tuple[View, Action]:
    """Answer one event with the next action."""
    match event:
        case Paused():
            return view, _look(view)
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
        case NoticesChanged(announced=announced):
            view = replace(view, announced=announced)
            return view, _look(view)
        case ToldToLeave(reason=reason):
            view = replace(view, out=reason)
            return view, _look(view)
        case AllClear() if view.out:
            view = replace(view, out="", announced=None)
            return view, ComeBack("AWS leaves this instance alone after all; joining again")
        case AllClear():
            view = replace(view, announced=None)
            return view, _look(view)
        case _:
            raise TypeError(f"no decision is made on {type(event).__name__}")


def _look(view: View) -> LookAtEngine:
    is_taken = view.announced is not None and view.announced.notice == "interruption"
    return LookAtEngine(_standing(view), is_listening=not is_taken and not view.out)


def _standing(view: View) -> str:
    """The status while nothing is under way; the same at every look, so it is logged once."""
    if view.out and not view.is_member:
        return f"left the swarm: {view.out}; waiting for AWS to take this instance"
    if view.is_member:
        is_to_go = f"; {view.announced}" if view.announced else ""
        return f"a member of the swarm{is_to_go}"
    return view.last_problem or "asking the engine how it is"


def _seen(view: View, event: EngineSeen, policy: Policy) -> tuple[View, Action]:
    if event.state != "pending":
        view = replace(view, pending_since=None)
    was_leaving = view.is_leaving
    view = replace(view, is_member=event.state == "active", is_leaving=False, away=0)
    if event.state in {"active", "pending", "error"}:
        due = _due(view, policy)
        if due and event.at >= due and not view.out:
            view = replace(view, out=f"{view.announced}, and the leader is silent")
        if view.out:
            return view, Leave(view.out, f"leaving the swarm: {view.out}")
        if (
            policy.deadman
            and event.silent >= policy.deadman
            and (event.missed >= policy.deadman_looks)
        ):
            return view, PowerOff(f"nobody of the swarm was heard for {policy.deadman}")
    match event.state:
        case "active":
            member = replace(view, failures=0, last_problem="")
            return member, _member_pause(member, event, policy)
        case "inactive" if view.out:
            return view, Pause(policy.look_every, policy.look_every, _standing(view))
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


def _due(view: View, policy: Policy) -> datetime | None:
    """When to leave untold, by our clock: tasks that are stopped end better than by a power cut."""
    match view.announced:
        case Announcement(
            notice="interruption", action="terminate" | "stop", effective=datetime() as effective
        ) if policy.role == Role.WORKER:
            return effective - view.clock_offset - policy.leave_before
        case _:
            return None


def _member_pause(view: View, event: EngineSeen, policy: Policy) -> Pause:
    pause = policy.look_every
    due = _due(view, policy)
    if due:
        pause = min(pause, max(due - event.at, _SHORTEST_PAUSE))
    status = _standing(view)
    if policy.deadman and event.silent >= _SAID_EVERY:
        silent = event.silent // _SAID_EVERY * _SAID_EVERY
        status = f"{status}; nobody of it was heard for {silent}, powering off at {policy.deadman}"
    return Pause(pause, pause, status)


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
