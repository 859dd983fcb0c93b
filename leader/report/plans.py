"""Shows what a drain, return or rebalance would do, or why the leader refuses it.

Rule: a plan is not a promise, because the leader makes new decisions after every event. A command
is rejected if it would cause harm or have no effect. Every refusal suggests what to do next.
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
_NODES: Final = "run `spotswarm nodes` to list the nodes"
_WATCH: Final = "run `spotswarm leaving --watch` to follow the progress"


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """The effects of draining a node."""

    node: NodeId
    hostname: str
    instance: InstanceId | None
    deadline: datetime
    is_demoted: bool
    """Whether the node is a manager, which is demoted first."""
    tasks: tuple[TaskFate, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """The effects of returning a node to service."""

    node: NodeId
    hostname: str
    instance: InstanceId | None
    phase: str
    is_promoted: bool
    """Whether the node was a manager, and will be promoted again."""
    held_by: tuple[str, ...] = ()
    """The services that our constraints keep off the node until the constraints are removed."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RebalancePlan:
    """The effects of rebalancing a service; `before` and `after` are task counts by host name."""

    service: ServiceId
    name: str
    stage: Literal["even", "uneven", "asked", "moving", "stuck", "left alone"]
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    moves: int = 0
    hindrance: str = ""


def is_called(node: Node, name: str) -> bool:
    """Whether a name is a node's host name (short or full), id, instance id or address."""
    return bool(name) and name in {
        node.id, node.hostname, node.hostname.partition(".")[0], node.instance, node.address,
    }  # fmt: skip


def is_start(name: str, node: NodeId) -> bool:
    """Whether a name is the beginning of a node's id, and long enough to identify the node."""
    return len(name) >= _PREFIX and node.startswith(name)


def find_node(view: View, name: str) -> Node | Refusal:
    """Return the node with this name, or a refusal if there is no clear match.

    If several nodes match but only one of them is not Down, return that one.
    """
    nodes = [node for node in view.nodes.values() if is_called(node, name)]
    nodes = nodes or [node for node in view.nodes.values() if is_start(name, node.id)]
    if not nodes:
        return Refusal(f"there is no node named {name!r}", _NODES, is_unknown=True)
    living = [node for node in nodes if node.status != "down"]
    if len(nodes) > 1 and len(living) != 1:
        ids = ", ".join(sorted(node.id for node in nodes))
        return Refusal(f"{len(nodes)} nodes are named {name!r}", f"use a node id instead: {ids}")
    return living[0] if living else nodes[0]


def drain_plan(moment: Moment, name: str, within: timedelta) -> DrainPlan | Refusal:
    """Return the effects of draining this node within this time, or why it cannot be drained."""
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
        tasks=fates(node, view, work, terms, moment.policy),
        warnings=(*_leader_warning(node), *stranded(node, view, work)),
    )


_NOT_LISTED: Final = Refusal(
    "the leader has not listed the services and tasks yet", "try again in a few seconds"
)


def _leader_warning(node: Node) -> Iterator[str]:
    if node.is_leader:
        yield (
            f"{node.hostname} leads the swarm; another manager will take over and continue the"
            " drain, so follow the drain on that manager"
        )


def _undrainable(node: Node, view: View, at: datetime) -> Refusal | None:
    host = node.hostname
    if node.phase == LEAVING:
        return _already_leaving(node, view, at)
    if node.phase == DRAINED:
        return Refusal(
            f"{host} is already drained",
            f"run `spotswarm return {host}` to let the node take tasks again",
        )
    wish = view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "drain":
        return Refusal(f"{host} is about to be drained", _WATCH)
    if node.is_joining:
        return Refusal(
            f"{host} is still joining and does not take tasks yet",
            f"run `spotswarm explain {host}` to see why",
        )
    if node.status == "down":
        return Refusal(
            f"{host} is Down, and Swarm has already restarted its tasks elsewhere",
            f"run `spotswarm explain {host}` to see what happens next",
        )
    hindrance = why_not_demoted(node, view) if node.role is Role.MANAGER else None
    if hindrance is not None:
        return Refusal(
            f"{host} is a manager and cannot be demoted: {hindrance}",
            "run `spotswarm nodes` to list the managers, and launch another manager first",
        )
    return None


def _already_leaving(node: Node, view: View, at: datetime) -> Refusal:
    terms = leaving_of(node)
    seconds = max(0, round((terms.deadline - at).total_seconds()))
    remaining = len((view.work or Work()).still_on(node.id))
    tasks = "1 task" if remaining == 1 else f"{remaining} tasks"
    return Refusal(
        f"{node.hostname} is already leaving ({terms.why}), with {tasks} and {seconds} s left",
        _WATCH,
    )


def return_plan(view: View, name: str) -> ReturnPlan | Refusal:
    """Return the effects of returning a node to service, or why the node cannot come back."""
    node = find_node(view, name)
    if isinstance(node, Refusal):
        return node
    refusal = _unreturnable(node, view)
    if refusal is not None:
        return refusal
    warnings = []
    if node.instance is not None and view.notices.of(node.instance, "rebalance"):
        warnings.append(
            "AWS's rebalance recommendation still applies, so the node may be paused again"
        )
    if node.status == "down":
        warnings.append("the node is Down, and will take tasks once it is Ready")
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
            f"AWS will interrupt {host}" + (f" at {when:%H:%M:%S} UTC" if when else ""),
            f"the interruption cannot be stopped; {_WATCH}",
        )
    if node.instance is not None and (
        node.instance in view.notices.ordered or node.instance in view.notices.departed
    ):
        return Refusal(
            f"{host} has already been told to leave the swarm",
            "launch another instance instead",
        )
    if node.phase == RETURNING:
        return Refusal(f"{host} is already returning", _WATCH)
    if node.phase in {LEAVING, DRAINED, HINTED}:
        return None
    if node.is_joining:
        return Refusal(f"{host} is still joining", f"run `spotswarm explain {host}` to see why")
    if node.id in view.moves.wishes:
        return Refusal(f"{host} is about to be drained", "try again in a few seconds")
    if node.availability is Availability.ACTIVE:
        return Refusal(f"{host} already takes tasks", _NODES)
    return Refusal(
        f"the availability of {host} was set to {node.availability.value} with Docker, not with"
        " spotswarm",
        f"run `docker node update --availability active {host}`",
    )


def rebalance_plans(
    view: View, names: Sequence[str], at: datetime
) -> tuple[RebalancePlan, ...] | Refusal:
    """Return the effects of rebalancing the services with these names or ids.

    If no names are given, the result covers all services.
    """
    work = view.work
    if work is None:
        return _NOT_LISTED
    known = {key: each for each in work.services.values() for key in (each.id, each.name)}
    missing = [name for name in names if name not in known]
    if missing:
        return Refusal(
            f"there is no service named {', '.join(map(repr, missing))}",
            "run `docker service ls` to list the services",
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
    """Return a sentence about the nodes that delay rebalancing, or an empty string if none do."""
    hosts = ", ".join(sorted(node.hostname for node in busy_nodes(view)))
    return f"rebalancing starts after these nodes have joined or left: {hosts}" if hosts else ""


def _hosts(view: View) -> dict[NodeId, str]:
    """Return a unique display name for each node."""
    times = Counter(node.hostname for node in view.nodes.values())
    return {
        node.id: node.hostname + (f" ({node.id})" if times[node.hostname] > 1 else "")
        for node in view.nodes.values()
    }
