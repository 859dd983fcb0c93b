"""Builds the admin API's responses about the cluster from the view and the record.

Rule: `spotswarm --json` prints these responses, so fields may be added but never renamed or
removed.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from leader.report.plans import is_called, is_start
from leader.report.record import Decision, Join, Record
from leader.view.ids import NODE_SUBJECT, InstanceId
from leader.view.model import Instance, Node, View
from wire.labels import (
    LABEL_DEADLINE,
    LABEL_LIFECYCLE,
    LABEL_PHASE,
    LABEL_TYPE,
    LABEL_WHY,
    LABEL_ZONE,
    LEAVING,
)


def nodes(view: View) -> list[dict[str, Any]]:
    """Return one row for each node, sorted by role (managers first) and host name."""
    return [
        _node(node, view)
        for node in sorted(
            view.nodes.values(), key=lambda node: (node.role.value, node.hostname, node.id)
        )
    ]


def _node(node: Node, view: View) -> dict[str, Any]:
    known = view.instances.get(node.instance) if node.instance else None
    return {
        "hostname": node.hostname,
        "role": node.role.value,
        "status": node.status,
        "availability": node.availability.value,
        "instance": node.instance,
        "lifecycle": node.labels.get(LABEL_LIFECYCLE),
        "zone": node.labels.get(LABEL_ZONE),
        "type": node.labels.get(LABEL_TYPE),
        "address": node.address,
        "node": node.id,
        "leader": node.is_leader,
        "reachability": node.reachability,
        "phase": node.labels.get(LABEL_PHASE),
        "why": node.labels.get(LABEL_WHY),
        "deadline": node.labels.get(LABEL_DEADLINE),
        "instance_state": known.state if known else None,
        "created": node.created.isoformat(),
    }


def _instance(instance: Instance) -> dict[str, Any]:
    row = asdict(instance)
    del row["other_addresses"]
    return {"instance": row.pop("id"), **row}


def joins(record: Record) -> list[dict[str, Any]]:
    """Return one row for each join request, newest first."""
    return [_join(join) for join in reversed(record.joins)]


def explain(view: View, record: Record, name: str) -> dict[str, Any] | None:
    """Return everything known about a node or instance, given its name or the start of its id.

    For a service, return the decisions about the service. Return None if nothing has this name.
    """
    nodes = _named(view, name)
    names = names_of(view, name)
    decisions = record.about(*names)
    joins = [join for join in record.joins if join.instance and join.instance in names]
    instances = [_instance(known) for known in view.instances.values() if known.id in names]
    if not (nodes or decisions or joins or instances):
        return None
    node_ids = names | {
        decision.subject.removeprefix(NODE_SUBJECT)
        for decision in decisions
        if decision.subject.startswith(NODE_SUBJECT)
    }
    return {
        "name": name,
        "nodes": [_node(node, view) for node in nodes],
        "instances": instances,
        "notices": [
            notice
            for instance in sorted(view.notices.standing)
            if instance in names
            for notice in _notices(view, instance)
        ],
        "joins": [_join(join) for join in joins],
        "decisions": [_decision(decision) for decision in decisions],
        "service_changes": [_decision(decision) for decision in record.because_of(node_ids)],
    }


def _named(view: View, name: str) -> list[Node]:
    return [
        node for node in view.nodes.values() if is_called(node, name) or is_start(name, node.id)
    ]


def names_of(view: View, name: str) -> set[str]:
    """Return the ids of the nodes, instances and services that have this name, and the name."""
    nodes = _named(view, name)
    services = view.work.services.values() if view.work is not None else ()
    return {
        name,
        *(node.id for node in nodes),
        *(node.instance or "" for node in nodes),
        *(service.id for service in services if service.name == name),
        *(known.id for known in view.instances.values() if name in known.addresses),
    }


def _join(join: Join) -> dict[str, Any]:
    return asdict(join) | {"at": join.at.isoformat()}


def _decision(decision: Decision) -> dict[str, Any]:
    row = asdict(decision) | {"at": decision.at.isoformat()}
    del row["nodes"]
    return row


def _notices(view: View, instance: InstanceId) -> list[dict[str, Any]]:
    return [
        {
            "instance": notice.instance,
            "kind": notice.kind,
            "source": notice.source,
            "told": notice.announced_at.isoformat(),
            "deadline": notice.deadline.isoformat() if notice.deadline else None,
            "action": notice.action,
        }
        for notice in view.notices.standing[instance]
    ]


def summary(view: View, *, at: datetime, wanted_managers: int) -> dict[str, Any]:
    """Return a summary of the cluster."""
    by_status: dict[str, int] = {}
    for node in view.nodes.values():
        key = f"{node.role.value}s_{node.status}"
        by_status[key] = by_status.get(key, 0) + 1
    return {
        "nodes": len(view.nodes),
        "by_status": by_status,
        "managers_wanted": wanted_managers,
        "joining": sum(1 for node in view.nodes.values() if node.is_joining),
        "leaving": sum(1 for node in view.nodes.values() if node.phase == LEAVING),
        "notices": [
            notice
            for instance in sorted(view.notices.standing)
            for notice in _notices(view, instance)
        ],
        "penalties": [
            {"type": pool[0], "zone": pool[1], "until": until.isoformat()}
            for pool, until in sorted(view.pools.avoided.items())
        ],
        "unbound": [node.hostname for node in view.nodes.values() if node.instance is None],
        "grants_outstanding": sorted(view.outstanding),
        "nodes_listed_seconds_ago": (
            None if view.nodes_at is None else round((at - view.nodes_at).total_seconds(), 1)
        ),
        "instances_listed_seconds_ago": (
            None
            if view.instances_at is None
            else round((at - view.instances_at).total_seconds(), 1)
        ),
    }
