"""Distributes a service's tasks evenly across the nodes, in as few moves as possible.

The leader scales the service up by k tasks, waits until all tasks are up, and scales it down again.
Swarm adds tasks to the nodes with the fewest tasks of the service, and removes tasks from the nodes
with the most. Only k tasks move, and no other task is restarted. In contrast,
`docker service update --force` would restart every task (moby #24103, #26826).

Rules: rebalance one service at a time. Do not rebalance during an update, during the cooldown, or
while a node is joining or leaving. If an added task does not come up, stop rebalancing and remove
only the added tasks.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from leader.moving.fates import Manner, is_emptying, manner
from leader.moving.loan import (
    Loan,
    is_changeable,
    is_waiting_for_owner,
    keep_away,
    loan_of,
    restore,
    scale,
)
from leader.moving.placement import eligible, imbalance, scaled_down, scaled_up
from leader.moving.room import Room, unsuitable
from leader.view.actions import ChangeService
from leader.view.ids import SERVICE_SUBJECT, NodeId, ServiceId
from leader.view.model import Node, View
from leader.view.moment import Moment
from leader.view.work import Service, Task, Work
from wire.labels import HINTED, LABEL_LOAN, LABEL_REBALANCE, is_off

_HOUR: Final = timedelta(hours=1)
_WISH_LIFETIME: Final = timedelta(minutes=10)
"""How long an operator's request stays valid if the rebalancing cannot start."""
_NOT_UP: Final = "they did not start in time"


@dataclass(frozen=True, slots=True)
class Plan:
    """The moves that would rebalance one service, or the `hindrance` that prevents them."""

    service: ServiceId
    name: str
    before: Mapping[NodeId, int] = field(default_factory=dict)
    after: Mapping[NodeId, int] = field(default_factory=dict)
    moves: int = 0
    hindrance: str = ""


class Planner:
    """Plans rebalancing for one view of the cluster; evaluates each set of constraints once."""

    def __init__(self, view: View, work: Work) -> None:
        self._view = view
        self._work = work
        self._eligible: dict[tuple[str, ...], frozenset[NodeId] | None] = {}
        self._room = Room(view.nodes, work)

    def plan(self, service: Service) -> Plan:
        """Return the plan for rebalancing one service."""
        tasks = [task for task in self._work.of_service(service.id) if task.is_wanted]
        hindrance = _hindrance(service, tasks)
        if hindrance:
            return Plan(service.id, service.name, hindrance=hindrance)
        nodes = self._nodes(service)
        if nodes is None:
            return Plan(
                service.id,
                service.name,
                hindrance="the leader cannot evaluate one of its constraints",
            )
        placed: dict[NodeId, int] = {}
        for task in tasks:
            if task.node is not None:
                placed[task.node] = placed.get(task.node, 0) + 1
        fewest = min(placed.values()) if len(placed) == len(nodes) else 0
        if nodes.issuperset(placed) and max(placed.values()) - fewest <= 1:
            return Plan(service.id, service.name, placed, placed)
        return self._moves(service, placed, nodes)

    def _nodes(self, service: Service) -> frozenset[NodeId] | None:
        """Return the nodes among which Swarm distributes a service's tasks, or None if unknown."""
        constraints = service.constraints
        if constraints not in self._eligible:
            able = eligible(self._view.nodes.values(), constraints)
            self._eligible[constraints] = None if able is None else frozenset(able)
        nodes = self._eligible[constraints]
        if nodes is None or not (service.platforms or service.generic or service.volume_plugins):
            return nodes
        return frozenset(
            name for name in nodes if unsuitable(self._view.nodes[name], service) is None
        )

    def _moves(self, service: Service, placed: dict[NodeId, int], nodes: frozenset[NodeId]) -> Plan:
        counts = dict.fromkeys(sorted(nodes), 0) | placed

        def not_now(hindrance: str) -> Plan:
            return Plan(service.id, service.name, counts, counts, hindrance=hindrance)

        if not nodes.issuperset(placed):
            # The leader does not move such a task, and Swarm does not count the task's node.
            return not_now("one of its tasks runs on a node that takes no new tasks")
        moves = imbalance(counts)
        added = scaled_up(counts, moves)
        for name, count in added.items():
            more = count - counts[name]
            obstacle = more and self._room.obstacle(self._view.nodes[name], service, more)
            if obstacle:
                return not_now(f"another node {obstacle.this_node}")
        after = scaled_down(added, moves)
        return Plan(service.id, service.name, counts, after, moves)


def _hindrance(service: Service, tasks: Sequence[Task]) -> str:
    """Return why a service cannot be rebalanced now, or an empty string if it can be."""
    if manner(service) is not Manner.START_FIRST:
        return f"its tasks cannot be moved start-first ({service.mode}, {manner(service).value})"
    if is_off(service.labels.get(LABEL_REBALANCE, "")):
        return f"its label {LABEL_REBALANCE} turns rebalancing off"
    if service.has_preferences:
        return "it has placement preferences, which take priority"
    if service.most_per_node:
        return "it limits the number of its tasks per node"
    if LABEL_LOAN in service.labels:
        return "its tasks are being moved"
    if not service.is_settled:
        return f"its last update has not finished ({service.update_state})"
    if service.replicas < 2:
        return "it has fewer than two tasks"
    if len(tasks) != service.replicas or not all(task.is_up for task in tasks):
        return "not all of its tasks are up"
    return ""


def rebalance(moment: Moment) -> Iterator[ChangeService]:
    """Continue rebalancing a service, or start on another if services have just been listed."""
    work = moment.view.work
    if work is None:
        return
    is_under_way = False
    for service in work.services.values():
        if LABEL_LOAN not in service.labels:
            continue
        loan = loan_of(service)
        if loan is not None:
            is_under_way = is_under_way or not is_waiting_for_owner(service, loan)
            if loan.purpose == "rebalance":
                yield from _continued(service, loan, work, moment)
    if moment.is_work_new and not is_under_way and _is_quiet(moment.view):
        yield from _started(work, moment)


def busy_nodes(view: View) -> tuple[Node, ...]:
    """Return the nodes that delay rebalancing because they are joining or may leave."""
    return tuple(
        node
        for node in view.nodes.values()
        if is_emptying(node) or node.phase == HINTED or node.is_joining
    )


def _is_quiet(view: View) -> bool:
    return not busy_nodes(view) and not any(
        subject.startswith(SERVICE_SUBJECT) for subject in view.in_flight
    )


def _started(work: Work, moment: Moment) -> Iterator[ChangeService]:
    moves, policy, at = moment.view.moves, moment.policy, moment.at
    is_due = policy.is_rebalancing and (
        moves.node_added_at is None or at - moves.node_added_at >= policy.rebalance_cooldown
    )
    spent = sum(count for when, count in moves.rebalanced if at - when < _HOUR)
    planner = Planner(moment.view, work)
    for service in sorted(work.services.values(), key=lambda service: service.name):
        requested_at = moves.rebalance_wishes.get(service.id)
        is_requested = requested_at is not None and at - requested_at < _WISH_LIFETIME
        stuck = moves.stuck.get(service.id)
        if not is_requested and (not is_due or (stuck is not None and at < stuck.until)):
            continue
        plan = planner.plan(service)
        if not plan.moves:
            continue
        if not is_requested and spent and spent + plan.moves > policy.rebalances_per_hour:
            continue
        loan = Loan(
            purpose="rebalance",
            since=at,
            own_replicas=service.replicas,
            lent_replicas=service.replicas + plan.moves,
        )
        yield scale(
            service,
            loan,
            reason=f"{plan.moves} of {service.replicas} tasks of {service.name} move; the tasks per"
            f" node change from {distribution(plan.before)} to {distribution(plan.after)}",
        )
        return


def distribution(counts: Mapping[NodeId, int]) -> str:
    """Format the task counts, highest first; group equal counts if there are many nodes."""
    if len(counts) > 6:
        distinct = sorted(set(counts.values()), reverse=True)
        return ", ".join(f"{list(counts.values()).count(count)}x{count}" for count in distinct)
    return "/".join(str(count) for count in sorted(counts.values(), reverse=True))


def _continued(service: Service, loan: Loan, work: Work, moment: Moment) -> Iterator[ChangeService]:
    tasks = work.of_service(service.id)
    wanted = [task for task in tasks if task.is_wanted]
    if not is_changeable(service, loan):
        # A change would restart the owner's update, which would stop tasks before others are up.
        return
    if loan.away_from:
        yield from _taken_back(service, loan, wanted)
        return
    waiting = [task for task in wanted if not task.is_up]
    if len(wanted) >= (loan.lent_replicas or 0) and not waiting:
        yield restore(
            service,
            loan,
            reason=f"the added tasks of {service.name} are up, so the service is scaled down",
        )
        return
    broken = [task for task in tasks if task.is_broken and task.created >= loan.since]
    if not broken and moment.at - loan.since < moment.policy.rebalance_patience:
        return
    earlier = {task.node for task in wanted if task.is_up and task.created < loan.since}
    failing = tuple(
        dict.fromkeys(
            task.node for task in waiting if task.node is not None and task.node not in earlier
        )
    )
    trouble = next((task.trouble for task in broken if task.trouble), _NOT_UP)
    reason = f"the added tasks of {service.name} did not come up ({trouble[:100]}) and are removed"
    if failing:
        # Scaling down now could remove working tasks instead of failing tasks on another node.
        # However, Swarm first removes tasks from slots that have two tasks. Therefore, each failing
        # task gets a second task in its slot, which does not have to come up. An added task that
        # works on the same node moves too.
        yield keep_away(service, loan, failing, order="start-first", reason=reason)
    else:
        yield replace(restore(service, loan, reason=reason), is_failure=True)


def _taken_back(service: Service, loan: Loan, wanted: Sequence[Task]) -> Iterator[ChangeService]:
    """Scale down when every failing task has a second task in its slot.

    Swarm first removes tasks from slots that have two tasks, so the working tasks keep running.
    """
    slots = Counter(task.slot for task in wanted)
    if all(
        task.node not in loan.away_from or task.is_up or slots[task.slot] > 1 for task in wanted
    ):
        reason = f"the added tasks of {service.name} did not come up, so the service is scaled down"
        yield replace(restore(service, loan, reason=reason), is_failure=True)
