"""Decides how an instance joins and leaves the swarm.

`decide(view, event, policy)` returns the new view and the next action. Each event leads to exactly
one action. Rule: never give up or exit; retry failed actions after increasingly long pauses. A
`News` event usually updates the view and triggers an inspection of the engine. The result of the
inspection determines the next action.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from agent.actions import (
    Action,
    InspectEngine,
    Join,
    Leave,
    LeaveByForce,
    Pause,
    PowerOff,
    Rejoin,
    RequestToken,
)
from agent.events import (
    AllClear,
    Denied,
    EngineInspected,
    EngineUnavailable,
    Event,
    Granted,
    JoinFailed,
    NoticesChanged,
    OrderedToLeave,
    Paused,
    RequestFailed,
)
from agent.model import AwsNotice, Policy, View
from wire.messages import DenialCode, Role

_SAME_CLOCK: Final = timedelta(seconds=1)
_NOTICE: Final = timedelta(minutes=2)
"""AWS announces an interruption two minutes ahead. If our clock is behind, it seems to be more."""
_SHORTEST_PAUSE: Final = timedelta(milliseconds=100)
_SILENCE_STEP: Final = timedelta(minutes=1)
"""The status line rounds a silence down to a multiple of this step, so that it rarely changes."""


def decide(view: View, event: Event, policy: Policy) -> tuple[View, Action]:
    """Return the updated view and the next action after an event."""
    match event:
        case Paused():
            return view, _inspect(view)
        case EngineInspected():
            return _inspected(view, event, policy)
        case EngineUnavailable(reason=reason):
            is_starting = view.missed_answers < policy.engine_attempts
            pause = policy.engine_pause if is_starting else policy.inspect_every
            view = replace(view, last_problem=reason, missed_answers=view.missed_answers + 1)
            return view, Pause(pause, pause, _idle_status(view))
        case Granted(ticket=ticket):
            return view, Join(ticket, f"joining the swarm at {ticket.managers[0]}")
        case Denied():
            return _denied(view, event, policy)
        case RequestFailed(reason=reason):
            return _try_later(view, reason, policy)
        case JoinFailed(reason=reason):
            return _try_later(view, f"the join failed: {reason}", policy)
        case NoticesChanged(notice=notice, at=at):
            first_at = view.notice_at if notice is not None and notice == view.notice else at
            view = replace(view, notice=notice, notice_at=first_at)
            return view, _inspect(view)
        case OrderedToLeave(reason=reason):
            view = replace(view, departure=reason)
            return view, _inspect(view)
        case AllClear() if view.departure:
            view = replace(view, departure="", notice=None)
            return view, Rejoin("AWS withdrew its notice; joining again")
        case AllClear():
            view = replace(view, notice=None)
            return view, _inspect(view)
        case _:
            raise TypeError(f"no code handles the event {type(event).__name__}")


def _inspect(view: View) -> InspectEngine:
    is_interrupted = view.notice is not None and view.notice.kind == "interruption"
    checks_contact = not is_interrupted and not view.departure
    return InspectEngine(_idle_status(view), checks_contact=checks_contact)


def _idle_status(view: View) -> str:
    """Return the status to show between actions.

    The text must not change often, because every change is logged.
    """
    if view.departure and not view.is_member:
        return f"left the swarm: {view.departure}; waiting for AWS to stop this instance"
    if view.is_member:
        notice = f"; {view.notice}" if view.notice else ""
        if view.missed_answers:
            return f"{view.last_problem}; it was a member of the swarm before{notice}"
        return f"a member of the swarm{notice}"
    return view.last_problem or "checking the engine's swarm state"


def _inspected(view: View, event: EngineInspected, policy: Policy) -> tuple[View, Action]:
    if event.state != "pending":
        view = replace(view, pending_since=None)
    was_forced_out = view.was_forced_out
    view = replace(view, is_member=event.state == "active", was_forced_out=False, missed_answers=0)
    if event.state in {"active", "pending", "error"}:
        leave_at = _leave_without_order_at(view, policy)
        if leave_at and event.at >= leave_at and not view.departure:
            view = replace(view, departure=f"{view.notice}, and the leader is silent")
        if view.departure:
            return view, Leave(view.departure, f"leaving the swarm: {view.departure}")
        if (
            policy.deadman
            and event.silence >= policy.deadman
            and event.missed_checks >= policy.deadman_checks
        ):
            return view, PowerOff(
                f"neither a manager nor the leader has responded for {policy.deadman}"
            )
    match event.state:
        case "active":
            member = replace(view, failures=0, last_problem="")
            return member, _member_pause(member, event, policy)
        case "inactive" if view.departure:
            return view, Pause(policy.inspect_every, policy.inspect_every, _idle_status(view))
        case "inactive":
            return view, RequestToken(
                policy.role, view.clock_offset, f"asking to join as a {policy.role}"
            )
        case "error":
            reason = f"the engine has only half joined the swarm: {event.error}"
            if was_forced_out:
                return _try_later(view, reason, policy)
            return replace(view, was_forced_out=True), LeaveByForce(reason)
        case "pending":
            return _pending(view, event.at, policy)
        case "locked":
            return view, Pause(
                policy.longest_pause,
                policy.longest_pause,
                "the swarm is locked; run `docker swarm unlock` on this machine",
            )


def _leave_without_order_at(view: View, policy: Policy) -> datetime | None:
    """Return the time at which a worker leaves even without an order from the leader.

    The time is by our steady clock. What the leader said of our clock counts, or else the machine's
    clock, which may have been set since the agent started. Return None for a manager, or if AWS has
    not announced an interruption that stops or terminates the instance. Leaving early lets the
    tasks stop cleanly.
    """
    match view.notice:
        case AwsNotice(
            kind="interruption", action="terminate" | "stop", effective=datetime() as effective
        ) if policy.role == Role.WORKER:
            is_measured = view.clock_offset != timedelta()
            step = view.offset_step if is_measured else view.notice.step
            by_our_clock = effective - view.clock_offset - step
            latest = by_our_clock if view.notice_at is None else view.notice_at + _NOTICE
            return min(by_our_clock, latest) - policy.leave_before
        case _:
            return None


def _member_pause(view: View, event: EngineInspected, policy: Policy) -> Pause:
    pause = policy.inspect_every
    leave_at = _leave_without_order_at(view, policy)
    if leave_at:
        pause = min(pause, max(leave_at - event.at, _SHORTEST_PAUSE))
    status = _idle_status(view)
    if policy.deadman and event.silence >= _SILENCE_STEP:
        silence = event.silence // _SILENCE_STEP * _SILENCE_STEP
        status = (
            f"{status}; neither a manager nor the leader has responded for {silence};"
            f" powering off after {policy.deadman}"
        )
    return Pause(pause, pause, status)


def _pending(view: View, at: datetime, policy: Policy) -> tuple[View, Action]:
    """Wait while the engine joins in the background; force it to leave if joining takes too long.

    The engine never stops trying to join, even if all managers are gone.
    """
    since = view.pending_since or at
    if at - since >= policy.pending_at_most:
        return (
            replace(view, pending_since=None, was_forced_out=True),
            LeaveByForce(f"the engine has been pending for {policy.pending_at_most}"),
        )
    return (
        replace(view, pending_since=since),
        Pause(policy.first_pause, policy.first_pause, "the engine is joining"),
    )


def _denied(view: View, event: Denied, policy: Policy) -> tuple[View, Action]:
    reason = f"the leader denied the request: {event.code}"
    if event.code == DenialCode.STALE:
        seconds = round(event.leader_offset.total_seconds())
        # After somebody has set our clock, it may be right, and the offset that we used is wrong.
        if abs(view.clock_offset - event.leader_offset) > _SAME_CLOCK:
            # Using the leader's time in signatures is enough, so leave the machine's clock alone.
            return (
                replace(view, clock_offset=event.leader_offset, offset_step=event.step),
                RequestToken(
                    policy.role,
                    event.leader_offset,
                    f"our clock is {seconds} s off the leader's; using the leader's time to sign",
                ),
            )
        if abs(event.leader_offset) > _SAME_CLOCK:
            reason = f"{reason}; our clock is {seconds} s off the leader's"
    view, pause = _try_later(view, reason, policy)
    least = max(event.retry_after, pause.least)
    return view, replace(pause, least=least, most=max(pause.most, least * 1.5))


def _try_later(view: View, reason: str, policy: Policy) -> tuple[View, Pause]:
    failures = view.failures + 1
    most = min(policy.first_pause * 2 ** min(failures - 1, 10), policy.longest_pause)
    return (
        replace(view, failures=failures, last_problem=reason),
        Pause(most / 10, most, f"{reason}; retrying"),
    )
