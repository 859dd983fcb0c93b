"""How far every leaving, hinted, drained or returning node is, and what it waits for. Pure.

Rule: it reads what `heed`, `leaving` and `evacuate` have written, and says what their next step
waits for; it decides nothing. The rows are what `spotswarm leaving --json` prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from leader.leaving.steps import may_demote
from leader.moving.evacuate import Manner, manner
from leader.moving.loan import loan_of
from leader.report.fates import is_replaced
from leader.view.model import Node, Policy, View
from leader.view.terms import Leaving, Then, drain_by, leave_by, leaving_of
from leader.view.work import Task, Work
from wire.labels import DRAINED, HINTED, JOINING, LABEL_WAS, LEAVING, RETURNING
from wire.messages import Availability, Role

Stage = Literal["hinted", "evacuating", "draining", "leaving", "drained", "returning"]
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a node's labels say, or the operator's wish that is not on them yet."""

    leaving: Leaving
    is_wish: bool = False


def leaving(view: View, policy: Policy, at: datetime) -> list[dict[str, Any]]:
    """One row a node, the one with the least time left first."""
    rows = []
    for node in view.nodes.values():
        asked = _asked(node, view)
        if asked is not None:
            rows.append(_row(node, asked, view, policy, at))
    return sorted(
        rows, key=lambda row: (row["stage"] == DRAINED, row["deadline"] or "", row["hostname"])
    )


def _asked(node: Node, view: View) -> _Asked | None:
    wish = view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "drain" and node.phase != LEAVING:
        return _Asked(Leaving("operator", wish.at, wish.at + wish.within, Then.STAY), is_wish=True)
    return None if node.phase in {"", JOINING} else _Asked(leaving_of(node))


def _row(node: Node, asked: _Asked, view: View, policy: Policy, at: datetime) -> dict[str, Any]:
    told, work = asked.leaving, view.work or Work()
    stage, waits_for = _step(node, asked, view)
    setback = view.setbacks.get(f"node {node.id}")
    if setback is not None:
        waits_for += f"; the last step failed {setback.times}x: spotswarm explain {_short(node)}"
    is_known = told.deadline.timestamp() > 0
    is_going = stage in {"evacuating", "draining", "leaving"}
    return {
        "hostname": node.hostname,
        "node": node.id,
        "instance": node.instance,
        "why": told.why,
        "since": told.since.isoformat() if told.since.timestamp() > 0 else None,
        "deadline": told.deadline.isoformat() if is_known else None,
        "seconds_left": _left(told.deadline, at) if is_going or stage == HINTED else None,
        "drain_in": _left(drain_by(told, policy), at) if is_going or stage == DRAINED else None,
        "leave_in": _left(leave_by(told, policy), at) if is_going or stage == DRAINED else None,
        "then": told.then.value,
        "stage": stage,
        "tasks": [
            _task(task, view, work)
            for task in sorted(work.on(node.id), key=work.name)
            if task.is_wanted or task.is_there
        ],
        "tasks_known": view.work is not None,
        "waits_for": waits_for,
    }


def _short(node: Node) -> str:
    return node.hostname.partition(".")[0]


def _left(until: datetime, at: datetime) -> float:
    return max(0.0, round((until - at) / timedelta(seconds=1), 1))


def _task(task: Task, view: View, work: Work) -> dict[str, Any]:
    service = work.services.get(task.service)
    return {
        "name": work.name(task),
        "state": task.state,
        "is_wanted": task.is_wanted,
        "manner": manner(service).value if service else Manner.STOP_FIRST.value,
        "replaced": is_replaced(task, view, work),
    }


def _step(node: Node, asked: _Asked, view: View) -> tuple[Stage, str]:
    told = asked.leaving
    wish = view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "return" and node.phase != RETURNING:
        return "returning", "the leader to begin"
    if asked.is_wish:
        return "evacuating", "the leader to pause it"
    if node.phase == HINTED:
        return "hinted", f"another worker in its place, or {told.deadline:%H:%M:%S} UTC"
    if node.phase == DRAINED:
        return "drained", f"spotswarm return {_short(node)}"
    if node.phase == RETURNING or (
        node.availability is Availability.ACTIVE and node.role is Role.WORKER
    ):
        return "returning", _return_waits(node, view)
    if node.role is Role.MANAGER:
        hindrance = may_demote(node, view)
        return "evacuating", "its demotion" + (
            f", which may not be: {hindrance}" if hindrance else ""
        )
    if node.status == "down" and told.then is not Then.STAY:
        return "leaving", "its entry to be removed"
    if node.availability is Availability.PAUSE:
        return "evacuating", _evacuation_waits(node, view)
    there = [view.work.name(task) for task in _on(node, view) if task.is_there] if view.work else []
    if there or view.work is None:
        return "draining", f"{named(there)} to stop" if there else "a list of its tasks"
    if told.then is Then.STAY:
        return "draining", "the leader to note that it is empty"
    return "leaving", _farewell_waits(node, view)


def _on(node: Node, view: View) -> Sequence[Task]:
    return (view.work or Work()).on(node.id)


def _evacuation_waits(node: Node, view: View) -> str:
    work = view.work
    if work is None:
        return "a list of its tasks"
    waiting: dict[Manner, list[str]] = {}
    for task in sorted(_on(node, view), key=work.name):
        service = work.services.get(task.service)
        if service is None or not task.is_wanted or is_replaced(task, view, work):
            continue
        waiting.setdefault(manner(service), []).append(work.name(task))
    if moving := waiting.get(Manner.START_FIRST):
        return f"{named(moving)} to be up elsewhere"
    if running := waiting.get(Manner.NEVER):
        return f"{named(running)} to end"
    return "Swarm's drain"


def _return_waits(node: Node, view: View) -> str:
    if node.labels.get(LABEL_WAS) == "manager" and node.role is Role.WORKER:
        return "its promotion to a manager again"
    if view.work is None:
        return "a list of services"
    held = []
    for service in view.work.services.values():
        loan = loan_of(service)
        if loan is not None and node.id in loan.away_from:
            held.append(service.name)
    if held:
        return f"{named(sorted(held))} to be let back on it"
    return "the leader to activate it"


def _farewell_waits(node: Node, view: View) -> str:
    instance, market = node.instance, view.market
    if instance in market.left:
        return "its entry to be removed"
    if instance in market.ordered:
        return "its agent to leave the swarm"
    if instance in market.listeners:
        return "the leader to tell it to go"
    return "its agent to ask whether it may go"


def named(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
