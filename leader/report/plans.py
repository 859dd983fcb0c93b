"""What draining, returning and spreading would do, or why not: said before anything is done. Pure.

Rule: a plan promises nothing. The leader decides anew with every event; what is refused here is
what would do harm, or nothing at all. Every refusal names the next step.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from leader.leaving.steps import may_demote
from leader.moving.evacuate import is_emptying
from leader.moving.loan import loan_of
from leader.moving.rebalance import Planner
from leader.report.fates import TaskFate, fates, stranded
from leader.view.ids import InstanceId, NodeId, ServiceId
from leader.view.model import Node, Policy, View
from leader.view.refusal import Refusal
from leader.view.terms import Leaving, Then, is_taken, leaving_of
from leader.view.work import Service, Work
from wire.labels import DRAINED, HINTED, LABEL_LOAN, LABEL_WAS, LEAVING, RETURNING
from wire.messages import Availability, Role

_PREFIX: Final = 4
_NODES: Final = "spotswarm nodes shows them"


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """How a node would be emptied."""

    node: NodeId
    hostname: str
    instance: InstanceId | None
    deadline: datetime
    is_demoted: bool
    """It is a manager: a worker first."""
    tasks: tuple[TaskFate, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """How a node would take tasks again."""

    node: NodeId
    hostname: str
    instance: InstanceId | None
    phase: str
    is_promoted: bool
    """It was a manager, and becomes one again."""
    held_by: tuple[str, ...] = ()
    """Services that are kept from it; what was borrowed of them is given back first."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpreadPlan:
    """How a service would be spread, by host name."""

    service: ServiceId
    name: str
    stage: Literal["even", "uneven", "asked", "moving", "stuck", "left alone"]
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    moves: int = 0
    hindrance: str = ""


def is_called(node: Node, name: str) -> bool:
    """Whether a node goes by this name: host name with or without domain, id, instance, address."""
    return bool(name) and name in {
        node.id, node.hostname, node.hostname.partition(".")[0], node.instance, node.address,
    }  # fmt: skip


def is_start(name: str, node: NodeId) -> bool:
    """Whether a name is long enough to be the start of a node's id, and is."""
    return len(name) >= _PREFIX and node.startswith(name)


def find_node(view: View, name: str) -> Node | Refusal:
    """The one node of this name; of an entry that is Down and a living one, the living."""
    found = [node for node in view.nodes.values() if is_called(node, name)]
    found = found or [node for node in view.nodes.values() if is_start(name, node.id)]
    if not found:
        return Refusal(f"no node is called {name!r}", _NODES, is_unknown=True)
    living = [node for node in found if node.status != "down"]
    if len(found) > 1 and len(living) != 1:
        ids = ", ".join(sorted(node.id for node in found))
        return Refusal(f"{len(found)} nodes are called {name!r}", f"say which by its id: {ids}")
    return living[0] if living else found[0]


def drain_plan(
    view: View, policy: Policy, name: str, within: timedelta, at: datetime
) -> DrainPlan | Refusal:
    """What draining this node within this time would do to each task on it."""
    node, work = find_node(view, name), view.work
    if isinstance(node, Refusal):
        return node
    refusal = _undrainable(node, view, at)
    if refusal is not None:
        return refusal
    if work is None:
        return _UNSEEN
    leaving = Leaving("operator", at, at + within, Then.STAY)
    return DrainPlan(
        node=node.id,
        hostname=node.hostname,
        instance=node.instance,
        deadline=leaving.deadline,
        is_demoted=node.role is Role.MANAGER,
        tasks=fates(node, work, leaving, policy),
        warnings=(*_of_leader(node), *stranded(node, view, work)),
    )


_UNSEEN: Final = Refusal(
    "the leader has not seen the services and tasks yet", "try again in some seconds"
)


def _of_leader(node: Node) -> Iterator[str]:
    if node.is_leader:
        yield (
            f"{node.hostname} leads the swarm: another manager takes over and goes on with it;"
            " follow it there"
        )


def _undrainable(node: Node, view: View, at: datetime) -> Refusal | None:
    host = node.hostname
    if node.phase == LEAVING:
        return _leaves_already(node, view, at)
    if node.phase == DRAINED:
        return Refusal(f"{host} is drained already", f"spotswarm return {host} takes it back")
    wish = view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "drain":
        return Refusal(f"{host} is about to be drained", "spotswarm leaving --watch follows it")
    if node.is_joining:
        return Refusal(f"{host} is joining and takes no tasks yet", f"spotswarm explain {host}")
    if node.status == "down":
        return Refusal(
            f"{host} is Down: Swarm has its tasks run elsewhere already",
            f"spotswarm explain {host} says what becomes of it",
        )
    hindrance = may_demote(node, view) if node.role is Role.MANAGER else None
    if hindrance is not None:
        return Refusal(
            f"{host} is a manager and may not be demoted: {hindrance}",
            "spotswarm nodes shows the managers; have another one ready first",
        )
    return None


def _leaves_already(node: Node, view: View, at: datetime) -> Refusal:
    leaving = leaving_of(node)
    left = max(0, round((leaving.deadline - at).total_seconds()))
    there = [task for task in (view.work or Work()).on(node.id) if task.is_there]
    return Refusal(
        f"{node.hostname} is leaving already ({leaving.why}): {len(there)} tasks are on it,"
        f" {left} seconds are left",
        "spotswarm leaving --watch follows it",
    )


def return_plan(view: View, name: str) -> ReturnPlan | Refusal:
    """What it takes to have a leaving, drained or hinted node back."""
    node = find_node(view, name)
    if isinstance(node, Refusal):
        return node
    refusal = _unreturnable(node, view)
    if refusal is not None:
        return refusal
    warnings = []
    if node.instance is not None and view.market.notice(node.instance, "rebalance"):
        warnings.append("AWS still says that it may be taken: it may be paused again")
    if node.status == "down":
        warnings.append("it is Down: it takes tasks when the swarm hears it")
    return ReturnPlan(
        node=node.id,
        hostname=node.hostname,
        instance=node.instance,
        phase=node.phase,
        is_promoted=node.labels.get(LABEL_WAS) == "manager" and node.role is Role.WORKER,
        held_by=tuple(sorted(_held_by(node, view))),
        warnings=tuple(warnings),
    )


def _unreturnable(node: Node, view: View) -> Refusal | None:
    host, leaving = node.hostname, leaving_of(node)
    if is_taken(node, view):
        notice = view.market.notice(node.instance, "interruption") if node.instance else None
        when = leaving.deadline if node.phase == LEAVING else notice and notice.deadline
        return Refusal(
            f"AWS takes {host}" + (f" at {when:%H:%M:%S} UTC" if when else ""),
            "nothing keeps it; spotswarm leaving --watch follows it",
        )
    if node.instance is not None and (
        node.instance in view.market.ordered or node.instance in view.market.left
    ):
        return Refusal(f"{host} was told to leave the swarm", "it is too late; launch another")
    if node.phase == RETURNING:
        return Refusal(f"{host} is on its way back", "spotswarm leaving --watch follows it")
    if node.phase in {LEAVING, DRAINED, HINTED}:
        return None
    if node.is_joining:
        return Refusal(f"{host} is joining", f"spotswarm explain {host} says what it waits for")
    if node.id in view.moves.wishes:
        return Refusal(f"{host} is about to be drained", "try again in some seconds")
    if node.availability is Availability.ACTIVE:
        return Refusal(f"{host} takes tasks: there is nothing to return", _NODES)
    return Refusal(
        f"{host} was set to {node.availability.value} by hand, not by spotswarm",
        f"docker node update --availability active {host}",
    )


def _held_by(node: Node, view: View) -> Iterator[str]:
    for service in (view.work or Work()).services.values():
        loan = loan_of(service)
        if loan is not None and node.id in loan.away_from:
            yield service.name


def spread_plans(
    view: View, names: Sequence[str], at: datetime
) -> tuple[SpreadPlan, ...] | Refusal:
    """What spreading these services would do, by name or id; all when none is named."""
    work = view.work
    if work is None:
        return _UNSEEN
    known = {key: one for one in work.services.values() for key in (one.id, one.name)}
    missing = [name for name in names if name not in known]
    if missing:
        return Refusal(
            f"no service is called {', '.join(map(repr, missing))}",
            "docker service ls shows them",
            is_unknown=True,
        )
    chosen = [known[name] for name in dict.fromkeys(names)] or list(work.services.values())
    planner, hosts = Planner(view, work), _hosts(view)
    return tuple(
        _spread(service, planner, view, hosts, at)
        for service in sorted(chosen, key=lambda one: one.name)
    )


def _spread(
    service: Service, planner: Planner, view: View, hosts: Mapping[NodeId, str], at: datetime
) -> SpreadPlan:
    plan = planner.plan(service)
    stuck = view.moves.stuck.get(service.id)
    stage: Literal["even", "uneven", "asked", "moving", "stuck", "left alone"]
    if LABEL_LOAN in service.labels or f"service {service.id}" in view.in_flight:
        stage = "moving"
    elif plan.hindrance:
        stage = "left alone"
    elif not plan.moves:
        stage = "even"
    elif service.id in view.moves.asked:
        stage = "asked"
    else:
        stage = "stuck" if stuck is not None and at < stuck.until else "uneven"
    return SpreadPlan(
        service=service.id,
        name=service.name,
        stage=stage,
        before={hosts.get(node, node): count for node, count in plan.before.items()},
        after={hosts.get(node, node): count for node, count in plan.after.items()},
        moves=plan.moves,
        hindrance=plan.hindrance,
    )


def unquiet(view: View) -> str:
    """Which nodes spreading waits for, as a sentence; empty when it waits for none."""
    busy = [
        node.hostname
        for node in view.nodes.values()
        if is_emptying(node) or node.phase == HINTED or node.is_joining
    ]
    return f"it begins when {', '.join(sorted(busy))} left or joined" if busy else ""


def _hosts(view: View) -> dict[NodeId, str]:
    """A name for each node that no other has."""
    times = Counter(node.hostname for node in view.nodes.values())
    return {
        node.id: node.hostname + (f" ({node.id})" if times[node.hostname] > 1 else "")
        for node in view.nodes.values()
    }
