"""Say before a deployment which services an update cannot start first.

An update with `order: start-first` needs a node for one more task. If each node may have only one
task of the service, and each node has one, the update waits until a node is added.
"""

from collections.abc import Collection, Sequence
from typing import Any

from cli.deploy.stackfile.stack import Stack, constraints_of
from cli.progress.nodes import Member, fits
from wire.constraints import is_about_label

Table = dict[str, Any]


def remarks_on_room(stack: Stack, existing: Collection[str], nodes: Sequence[Member]) -> list[str]:
    """Return a sentence for each existing service that has no room for one more task.

    `existing` contains the names of the stack's services in the swarm. A new service needs no room
    for an update.
    """
    return [
        f"{name}: {problem}; use stop-first"
        for name, service in stack.document["services"].items()
        if f"{stack.name}_{name}" in existing
        and (problem := _problem(stack, name, service or {}, nodes))
    ]


def _problem(stack: Stack, name: str, service: Table, nodes: Sequence[Member]) -> str:
    deploy = service.get("deploy") or {}
    order = (deploy.get("update_config") or {}).get("order")
    if order != "start-first" or deploy.get("mode", "replicated") != "replicated":
        return ""
    most = _number((deploy.get("placement") or {}).get("max_replicas_per_node"), 0)
    has_host_port = any(
        isinstance(port, dict) and port.get("mode") == "host" for port in service.get("ports") or ()
    )
    per_node = 1 if has_host_port else most
    if not per_node:
        return ""
    label = stack.label_a_manager
    constraints = [
        text
        for owner, text in constraints_of(stack.document)
        if owner == name and not (label and is_about_label(text, label))
    ]
    eligible = sum(node.is_ready and node.is_active and fits(node, constraints) for node in nodes)
    replicas = _number(deploy.get("replicas"), 1)
    if replicas < eligible * per_node:
        return ""
    each = "one each" if per_node == 1 else f"{per_node} each"
    cause = " because of a host port" if has_host_port else ""
    return f"start-first needs a free node: {replicas} replicas, {eligible} nodes, {each}{cause}"


def _number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default
