"""Spreading a service out again with the fewest moves: up by k, wait until healthy, down by k.

Swarm places added tasks where fewest of the service are and removes from where most are, so k tasks
move and no other is touched; `docker service update --force` restarts all (moby #24103, #26826).
Rules: one service at a time; never during an update, a leaving or a cooldown; an added task that
does not come up ends it, and only what we added goes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from leader.moving.evacuate import Manner, is_emptying, manner
from leader.moving.loan import Loan, give_back, is_ours, keep_away, loan_of, scale
from leader.moving.placement import eligible, has_room, imbalance, scaled_down, scaled_up
from leader.view.actions import ChangeService
from leader.view.ids import NodeId, ServiceId
from leader.view.model import Policy, View
from leader.view.work import Service, Task, Work
from wire.labels import HINTED, LABEL_LOAN, LABEL_REBALANCE, is_off

_SETTLED: Final = frozenset({"", "completed", "rollback_completed"})
_HOUR: Final = timedelta(hours=1)
_ASKED_FOR: Final = timedelta(minutes=10)
"""An operator's wish that could not be met by then is over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What spreading one service would do; with a `hindrance`, why it is left alone."""

    service: ServiceId
    name: str
    before: Mapping[NodeId, int] = field(default_factory=dict)
    after: Mapping[NodeId, int] = field(default_factory=dict)
    moves: int = 0
    hindrance: str = ""


class Planner:
    """Plans for one view; nodes of the same constraints are looked for once."""

    def __init__(self, view: View, work: Work) -> None:
        self._view = view
        self._work = work
        self._eligible: dict[tuple[str, ...], frozenset[NodeId] | None] = {}

    def plan(self, service: Service) -> Plan:
        """The plan for one service, as things are now."""
        tasks = [task for task in self._work.of_service(service.id) if task.is_wanted]
        hindrance = _hindrance(service, tasks)
        if hindrance:
            return Plan(service.id, service.name, hindrance=hindrance)
        may = self._may(service.constraints)
        if may is None:
            return Plan(service.id, service.name, hindrance="a constraint is not understood")
        placed: dict[NodeId, int] = {}
        for task in tasks:
            if task.node is not None:
                placed[task.node] = placed.get(task.node, 0) + 1
        least = min(placed.values()) if len(placed) == len(may) else 0
        if may.issuperset(placed) and max(placed.values()) - least <= 1:
            return Plan(service.id, service.name, placed, placed)
        return self._weighed(service, placed, may)

    def _may(self, constraints: tuple[str, ...]) -> frozenset[NodeId] | None:
        if constraints not in self._eligible:
            found = eligible(self._view.nodes.values(), constraints)
            self._eligible[constraints] = None if found is None else frozenset(found)
        return self._eligible[constraints]

    def _weighed(self, service: Service, placed: dict[NodeId, int], may: frozenset[NodeId]) -> Plan:
        counts = dict.fromkeys(sorted(may), 0) | placed
        if not may.issuperset(placed):
            # A task on a node that takes no more: not ours to move, and no place to count with.
            return Plan(
                service.id,
                service.name,
                counts,
                counts,
                hindrance="it runs on a node that takes no tasks",
            )
        moves = imbalance(counts)
        top = max(counts.values())
        for node, count in counts.items():
            if count < top - 1 and not self._has_room(node, service):
                return Plan(service.id, service.name, counts, counts, hindrance="no room elsewhere")
        after = scaled_down(scaled_up(counts, moves), moves)
        return Plan(service.id, service.name, counts, after, moves)

    def _has_room(self, node: NodeId, service: Service) -> bool:
        if not service.cpu and not service.memory:
            return True
        running = [
            self._work.services[task.service]
            for task in self._work.on(node)
            if task.is_wanted and task.service in self._work.services
        ]
        reserved = (sum(one.cpu for one in running), sum(one.memory for one in running))
        return has_room(self._view.nodes[node], service, reserved)


def _hindrance(service: Service, tasks: list[Task]) -> str:
    """Why a service is not to be spread at all, or not now."""
    if manner(service) is not Manner.START_FIRST:
        return f"it is not moved start-first ({service.mode}, {manner(service).value})"
    if is_off(service.labels.get(LABEL_REBALANCE, "")):
        return f"its label {LABEL_REBALANCE} says no"
    if service.has_preferences:
        return "Swarm places it by its preferences first, and those may be uneven by design"
    if service.most_per_node:
        return "it limits its tasks on a node"
    if LABEL_LOAN in service.labels:
        return "its tasks are being moved"
    if service.update_state not in _SETTLED:
        return f"its own update is {service.update_state}"
    if service.replicas < 2:
        return "one task cannot be spread"
    if len(tasks) != service.replicas or not all(task.is_up for task in tasks):
        return "not all of its tasks are up"
    return ""


def spread(
    view: View, policy: Policy, cause: str, at: datetime, *, is_news: bool
) -> Iterator[ChangeService]:
    """Carry a begun spreading on; begin one, on a new list, if one is due."""
    work = view.work
    if work is None:
        return
    is_under_way = False
    for service in work.services.values():
        if LABEL_LOAN not in service.labels:
            continue
        loan = loan_of(service)
        if loan is not None:
            is_under_way = True
            if loan.purpose == "spread":
                yield from _carried_on(service, loan, work, policy, cause=cause, at=at)
    if is_news and not is_under_way and _is_quiet(view):
        yield from _begun(view, work, policy, cause, at)


def _is_quiet(view: View) -> bool:
    return not any(
        is_emptying(node) or node.phase == HINTED or node.is_joining for node in view.nodes.values()
    ) and not any(subject.startswith("service ") for subject in view.in_flight)


def _begun(
    view: View, work: Work, policy: Policy, cause: str, at: datetime
) -> Iterator[ChangeService]:
    moves = view.moves
    is_due = policy.is_spreading and (
        moves.grown is None or at - moves.grown >= policy.spread_cooldown
    )
    spent = sum(moved for when, moved in moves.spread if at - when < _HOUR)
    planner = Planner(view, work)
    for service in sorted(work.services.values(), key=lambda one: one.name):
        asked = moves.asked.get(service.id)
        is_asked = asked is not None and at - asked < _ASKED_FOR
        stuck = moves.stuck.get(service.id)
        if not is_asked and (not is_due or (stuck is not None and at < stuck.until)):
            continue
        plan = planner.plan(service)
        if not plan.moves:
            continue
        if not is_asked and spent and spent + plan.moves > policy.spread_per_hour:
            continue
        loan = Loan(
            purpose="spread",
            since=at,
            own_replicas=service.replicas,
            lent_replicas=service.replicas + plan.moves,
        )
        yield scale(
            service,
            loan,
            reason=f"{plan.moves} of {service.replicas} tasks of {service.name} move:"
            f" {told(plan.before)} becomes {told(plan.after)}",
            cause=cause,
        )
        return


def told(counts: Mapping[NodeId, int]) -> str:
    """Counts from the fullest to the emptiest; of many nodes only how many have how many."""
    if len(counts) > 6:
        kinds = sorted(set(counts.values()), reverse=True)
        return ", ".join(f"{list(counts.values()).count(kind)}x{kind}" for kind in kinds)
    return "/".join(str(count) for count in sorted(counts.values(), reverse=True))


def _carried_on(
    service: Service, loan: Loan, work: Work, policy: Policy, *, cause: str, at: datetime
) -> Iterator[ChangeService]:
    tasks = work.of_service(service.id)
    wanted = [task for task in tasks if task.is_wanted]
    if service.update_state not in _SETTLED and not is_ours(service, loan):
        # A change would begin his update anew, and stop what serves for what does not yet.
        return
    if loan.away_from:
        slots = Counter(task.slot for task in wanted)
        if all(
            task.node not in loan.away_from or task.is_up or slots[task.slot] > 1 for task in wanted
        ):
            yield replace(
                give_back(
                    service,
                    loan,
                    reason=f"{service.name} stays as it was: added tasks did not come up",
                    cause=cause,
                ),
                is_failure=True,
            )
        return
    waiting = [task for task in wanted if not task.is_up]
    if len(wanted) >= (loan.lent_replicas or 0) and not waiting:
        yield give_back(
            service, loan, reason=f"the added tasks of {service.name} serve", cause=cause
        )
        return
    broken = [task for task in tasks if task.is_broken and task.created >= loan.since]
    if not broken and at - loan.since < policy.spread_patience:
        return
    old = {task.node for task in wanted if task.is_up and task.created < loan.since}
    bad = tuple(
        dict.fromkeys(
            task.node for task in waiting if task.node is not None and task.node not in old
        )
    )
    trouble = next((task.trouble for task in broken if task.trouble), "they are not up in time")
    reason = f"added tasks of {service.name} do not come up ({trouble[:100]})"
    if bad:
        # Swarm takes tasks away by node, also good ones before bad ones on another; but before all
        # of them slots with two tasks. So the bad ones get a second that need not come up either;
        # an added one that serves beside them moves too, it goes with them or before its like.
        yield keep_away(
            service,
            loan,
            bad,
            order="start-first",
            reason=f"{reason}: taken back",
            cause=cause,
        )
    else:
        yield replace(
            give_back(service, loan, reason=f"{reason}: taken back", cause=cause), is_failure=True
        )
