"""What draining, returning or rebalancing would do, or why it is refused, before it is done.

Rule: a plan is no promise; the leader decides again with every event. Refused is what would do harm
or nothing at all, and every refusal names the next step.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from leader.leaving.emptying import why_not_demoted
from leader.leaving.returning import services_kept_from
from leader.leaving.stages import is_former_manager
from leader.moving.rebalance import Planner, busy_nodes
from leader.report.fates import TaskFate, fates, stranded
from leader.view.ids import InstanceId, NodeId, ServiceId, service_subject
from leader.view.model import Node, View
from leader.view.moment import Moment
from leader.view.refusal import Refusal
from leader.view.terms import Leaving, Then, is_taken, leaving_of
from leader.view.work import Service, Work
from wire.labels import DRAINED, HINTED, LABEL_LOAN, LEAVING, RETURNING
from wire.messages import Availability, Role

_PREFIX: Final = 4
_NODES: Final = "spotswarm nodes shows them"


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """How a node would be drained."""

    node: NodeId
    hostname: str
    instance: InstanceId | None
    deadline: datetime
    is_demoted: bool
    """It is a manager and is demoted first."""
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
    """It was a manager and becomes one again."""
    held_by: tuple[str, ...] = ()
    """Services that our constraints keep from it; the constraints are removed first."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RebalancePlan:
    """How a service would be rebalanced, by host name."""

    service: ServiceId
    name: str
    stage: Literal["even", "uneven", "asked", "moving", "stuck", "left alone"]
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    moves: int = 0
    hindrance: str = ""


def is_called(node: Node, name: str) -> bool:
    """Whether this names a node: host name with or without domain, id, instance or address."""
    return bool(name) and name in {
        node.id, node.hostname, node.hostname.partition(".")[0], node.instance, node.address,
    }  # fmt: skip


def is_start(name: str, node: NodeId) -> bool:
    """Whether a name is the start of a node's id and long enough to be taken for it."""
    return len(name) >= _PREFIX and node.startswith(name)


def find_node(view: View, name: str) -> Node | Refusal:
    """The node of this name; if several have it, the only one that is not Down."""
    nodes = [node for node in view.nodes.values() if is_called(node, name)]
    nodes = nodes or [node for node in view.nodes.values() if is_start(name, node.id)]
    if not nodes:
        return Refusal(f"no node is called {name!r}", _NODES, is_unknown=True)
    living = [node for node in nodes if node.status != "down"]
    if len(nodes) > 1 and len(living) != 1:
        ids = ", ".join(sorted(node.id for node in nodes))
        return Refusal(f"{len(nodes)} nodes are called {name!r}", f"name one by its id: {ids}")
    return living[0] if living else nodes[0]


def drain_plan(moment: Moment, name: str, within: timedelta) -> DrainPlan | Refusal:
    """What draining this node within this time would do to each task on it."""
    view, at = moment.view, moment.at
    node, work = find_node(view, name), view.work
    if isinstance(node, Refusal):
        return node
    refusal = _undrainable(node, view, at)
    if refusal is not None:
        return refusal
    if work is None:
        return _NOT_LISTED
    terms = Leaving("operator", at, at + within, Then.STAY)
    return DrainPlan(
        node=node.id,
        hostname=node.hostname,
        instance=node.instance,
        deadline=terms.deadline,
        is_demoted=node.role is Role.MANAGER,
        tasks=fates(node, work, terms, moment.policy),
        warnings=(*_leader_warning(node), *stranded(node, view, work)),
    )


_NOT_LISTED: Final = Refusal(
    "the leader has not listed the services and tasks yet", "try again in a few seconds"
)


def _leader_warning(node: Node) -> Iterator[str]:
    if node.is_leader:
        yield (
            f"{node.hostname} leads the swarm: another manager takes over and continues the drain;"
            " follow it there"
        )


def _undrainable(node: Node, view: View, at: datetime) -> Refusal | None:
    host = node.hostname
    if node.phase == LEAVING:
        return _already_leaving(node, view, at)
    if node.phase == DRAINED:
        return Refusal(
            f"{host} is already drained", f"spotswarm return {host} lets it take tasks again"
        )
    wish = view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "drain":
        return Refusal(f"{host} is about to be drained", "spotswarm leaving --watch follows it")
    if node.is_joining:
        return Refusal(
            f"{host} is still joining and takes no tasks yet", f"spotswarm explain {host}"
        )
    if node.status == "down":
        return Refusal(
            f"{host} is Down: Swarm has already restarted its tasks elsewhere",
            f"spotswarm explain {host} shows what happens to it",
        )
    hindrance = why_not_demoted(node, view) if node.role is Role.MANAGER else None
    if hindrance is not None:
        return Refusal(
            f"{host} is a manager and cannot be demoted: {hindrance}",
            "spotswarm nodes shows the managers; launch another one first",
        )
    return None


def _already_leaving(node: Node, view: View, at: datetime) -> Refusal:
    terms = leaving_of(node)
    seconds = max(0, round((terms.deadline - at).total_seconds()))
    remaining = (view.work or Work()).still_on(node.id)
    return Refusal(
        f"{node.hostname} is already leaving ({terms.why}): {len(remaining)} tasks are still on it,"
        f" {seconds} seconds are left",
        "spotswarm leaving --watch follows it",
    )


def return_plan(view: View, name: str) -> ReturnPlan | Refusal:
    """How a leaving, drained or hinted node would return."""
    node = find_node(view, name)
    if isinstance(node, Refusal):
        return node
    refusal = _unreturnable(node, view)
    if refusal is not None:
        return refusal
    warnings = []
    if node.instance is not None and view.notices.of(node.instance, "rebalance"):
        warnings.append("AWS still recommends to rebalance it, so it may be paused again")
    if node.status == "down":
        warnings.append("it is Down: it takes tasks once it is Ready")
    return ReturnPlan(
        node=node.id,
        hostname=node.hostname,
        instance=node.instance,
        phase=node.phase,
        is_promoted=is_former_manager(node),
        held_by=tuple(sorted(services_kept_from(node, view.work or Work()))),
        warnings=tuple(warnings),
    )


def _unreturnable(node: Node, view: View) -> Refusal | None:
    host, terms = node.hostname, leaving_of(node)
    if is_taken(node, view):
        notice = view.notices.of(node.instance, "interruption") if node.instance else None
        when = terms.deadline if node.phase == LEAVING else notice and notice.deadline
        return Refusal(
            f"AWS interrupts {host}" + (f" at {when:%H:%M:%S} UTC" if when else ""),
            "this cannot be stopped; spotswarm leaving --watch follows it",
        )
    if node.instance is not None and (
        node.instance in view.notices.ordered or node.instance in view.notices.departed
    ):
        return Refusal(f"{host} has been told to leave the swarm", "it is too late; launch another")
    if node.phase == RETURNING:
        return Refusal(f"{host} is already returning", "spotswarm leaving --watch follows it")
    if node.phase in {LEAVING, DRAINED, HINTED}:
        return None
    if node.is_joining:
        return Refusal(
            f"{host} is still joining", f"spotswarm explain {host} shows what it waits for"
        )
    if node.id in view.moves.wishes:
        return Refusal(f"{host} is about to be drained", "try again in a few seconds")
    if node.availability is Availability.ACTIVE:
        return Refusal(f"{host} already takes tasks", _NODES)
    return Refusal(
        f"{host} was set to {node.availability.value} by hand, not by spotswarm",
        f"docker node update --availability active {host}",
    )


def rebalance_plans(
    view: View, names: Sequence[str], at: datetime
) -> tuple[RebalancePlan, ...] | Refusal:
    """What rebalancing these services would do, by name or id; without names, all services."""
    work = view.work
    if work is None:
        return _NOT_LISTED
    known = {key: each for each in work.services.values() for key in (each.id, each.name)}
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
        _rebalance_plan(service, planner, view, hosts, at)
        for service in sorted(chosen, key=lambda service: service.name)
    )


def _rebalance_plan(
    service: Service, planner: Planner, view: View, hosts: Mapping[NodeId, str], at: datetime
) -> RebalancePlan:
    plan = planner.plan(service)
    stuck = view.moves.stuck.get(service.id)
    stage: Literal["even", "uneven", "asked", "moving", "stuck", "left alone"]
    if LABEL_LOAN in service.labels or service_subject(service.id) in view.in_flight:
        stage = "moving"
    elif plan.hindrance:
        stage = "left alone"
    elif not plan.moves:
        stage = "even"
    elif service.id in view.moves.rebalance_wishes:
        stage = "asked"
    else:
        stage = "stuck" if stuck is not None and at < stuck.until else "uneven"
    return RebalancePlan(
        service=service.id,
        name=service.name,
        stage=stage,
        before={hosts.get(node, node): count for node, count in plan.before.items()},
        after={hosts.get(node, node): count for node, count in plan.after.items()},
        moves=plan.moves,
        hindrance=plan.hindrance,
    )


def rebalance_waits_for(view: View) -> str:
    """Which nodes rebalancing waits for, as a sentence; empty if it waits for none."""
    hosts = ", ".join(sorted(node.hostname for node in busy_nodes(view)))
    return f"it starts once {hosts} left or joined" if hosts else ""


def _hosts(view: View) -> dict[NodeId, str]:
    """A unique name for each node."""
    times = Counter(node.hostname for node in view.nodes.values())
    return {
        node.id: node.hostname + (f" ({node.id})" if times[node.hostname] > 1 else "")
        for node in view.nodes.values()
    }
