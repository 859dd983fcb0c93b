"""Reads services and tasks from Docker's rows.

Rule: a row that cannot be read raises an exception, so that the caller can use the other rows. Read
every field with `leader.edges.docker.fields`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from leader.edges.docker.fields import (
    StrangeRow,
    Table,
    id_of,
    labels,
    number,
    required,
    table,
    tables,
    text,
    texts,
)
from leader.edges.docker.resources import generic_resources
from leader.edges.docker.volumes import is_for_one_node, is_on_one_machine, plugin_of
from leader.view.ids import NodeId, ServiceId, TaskId
from leader.view.work import Mode, Service, Task
from wire.labels import read_time
from wire.times import EARLIEST

_ENDED: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_FAILED: Final = frozenset({"failed", "rejected", "complete"})
"""How a task can end by itself; whether `complete` is a failure depends on the task's service."""
_MODES: Final[Mapping[str, Mode]] = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


def service_of(raw: Table, volumes: Sequence[Table] = ()) -> Service:
    """Return a service; `volumes` has the engine's volumes if a service mounts a cluster volume.

    Raises an exception, usually `StrangeRow`, if the row cannot be read.
    """
    spec = table(raw, "Spec")
    template, modes = table(spec, "TaskTemplate"), table(spec, "Mode")
    mode = next((mode for name, mode in _MODES.items() if name in modes), None)
    if mode is None:
        raise StrangeRow("Mode is unknown")
    # A plugin's template has no container.
    container = table(template, "ContainerSpec")
    placement = table(template, "Placement")
    reserved = table(table(template, "Resources"), "Reservations")
    mounts = tables(container, "Mounts")
    ports = tables(table(spec, "EndpointSpec"), "Ports")
    host_ports = [port for port in ports if text(port, "PublishMode") == "host"]
    grace = container.get("StopGracePeriod")
    return Service(
        id=ServiceId(required(raw, "ID")),
        name=required(spec, "Name"),
        version=number(table(raw, "Version"), "Index"),
        mode=mode,
        replicas=number(table(modes, "Replicated"), "Replicas"),
        constraints=texts(placement, "Constraints"),
        has_preferences=bool(placement.get("Preferences")),
        most_per_node=number(placement, "MaxReplicas"),
        update=None if spec.get("UpdateConfig") is None else table(spec, "UpdateConfig"),
        update_state=text(table(raw, "UpdateStatus"), "State"),
        template=_digest(template),
        has_health_check=_is_check(table(container, "Healthcheck")),
        has_host_ports=bool(host_ports),
        has_local_volumes=any(map(is_on_one_machine, mounts)),
        has_single_node_volumes=any(is_for_one_node(mount, volumes) for mount in mounts),
        host_ports=frozenset(
            (text(port, "Protocol", "tcp"), number(port, "PublishedPort"))
            for port in host_ports
            if number(port, "PublishedPort")
        ),
        volume_plugins=frozenset(filter(None, map(plugin_of, mounts))),
        platforms=tuple(
            (text(platform, "OS"), text(platform, "Architecture"))
            for platform in tables(placement, "Platforms")
        ),
        generic=generic_resources(reserved),
        cpu=number(reserved, "NanoCPUs"),
        memory=number(reserved, "MemoryBytes"),
        stop_grace=timedelta(
            seconds=10 if grace is None else number(container, "StopGracePeriod") / 1_000_000_000
        ),
        labels=labels(spec),
    )


def _digest(template: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in template.items() if key != "Placement"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]


def _is_check(check: Table) -> bool:
    """Return whether the spec contains a health check; checks defined in the image do not count."""
    test = texts(check, "Test") or ("NONE",)
    return test[0] != "NONE"


def task_since(raw: Table, since: datetime) -> Task | None:
    """Return a task, or None if it has ended and did not fail after `since`."""
    status, created = table(raw, "Status"), read_time(text(raw, "CreatedAt"))
    state = required(status, "State")
    if state in _ENDED and not (state in _FAILED and created > since):
        return None
    may_end = _may_end(raw)
    if state == "complete" and may_end:
        return None
    return Task(
        id=TaskId(required(raw, "ID")),
        service=ServiceId(text(raw, "ServiceID")),
        slot=number(raw, "Slot"),
        node=NodeId(text(raw, "NodeID")) if text(raw, "NodeID") else None,
        state=state,
        desired=required(raw, "DesiredState"),
        created=created,
        trouble="" if state == "running" else _trouble(status),
        may_end=may_end,
    )


def _trouble(status: Table) -> str:
    if text(status, "State") == "complete":
        return "it ended with exit code 0, perhaps because its health check had failed"
    return text(status, "Err") or text(status, "Message")


def _may_end(raw: Table) -> bool:
    """Return whether a task that ends with exit code 0 has done what it is for."""
    policy = table(table(raw, "Spec"), "RestartPolicy")
    return "JobIteration" in raw or text(policy, "Condition") not in {"", "any"}


def running_task(raw: Table) -> Task:
    """Return a task that cannot be read as one that runs on its node, so that the node waits."""
    try:
        service = text(raw, "ServiceID")
    except StrangeRow:
        service = ""
    return Task(
        id=TaskId(id_of(raw)),
        service=ServiceId(service),
        slot=0,
        node=NodeId(required(raw, "NodeID")),
        state="running",
        desired="running",
        created=EARLIEST,
    )
