"""Reads services and tasks, and changes services, through this manager's engine.

Rule: to change a service, send back its current spec with only our fields changed. The engine does
not resolve image tags to digests. If an update contains no registry credentials, the engine keeps
the credentials of the previous spec (`registryAuthFrom`,
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceUpdate).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from aiodocker import Docker

from leader.edges.docker.errors import translated
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
from leader.view.ids import NodeId, ServiceId, TaskId
from leader.view.rows import Rows
from leader.view.work import Mode, Service, Task
from runtime import clock
from runtime.errors import UnavailableError
from runtime.faults import Faults
from wire.labels import LABEL_LOAN, read_time
from wire.times import EARLIEST

_ENDED: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_FAILED: Final = frozenset({"failed", "rejected"})
_FAILURES_SHOWN_FOR: Final = timedelta(minutes=10)
_MODES: Final[Mapping[str, Mode]] = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}
_NETWORKED: Final = frozenset({"nfs", "nfs4", "cifs"})
"""Filesystem types that the `local` volume driver mounts over the network."""


class Workload:
    """Reads services and tasks, and changes services, through the local engine.

    All methods raise the same errors as `translated`.
    """

    def __init__(self, docker: Docker, faults: Faults | None = None) -> None:
        self._docker = docker
        self._faults = faults or Faults()

    async def services(self) -> Rows[Service]:
        """Return all services in the swarm, except those that cannot be read."""
        with translated("list the swarm's services"):
            listed = await self._docker.services.list()
        services, unread = self._faults.readable("rows of services", listed, _service)
        return Rows(services, map(id_of, unread))

    async def tasks(self) -> Rows[Task]:
        """Return all tasks that have not ended, and tasks that failed recently.

        The API can filter tasks only by desired state. Such a filter would omit tasks that should
        shut down but are still running, so this method lists all tasks and drops the ended tasks.
        Swarm's `--task-history-limit` limits how many ended tasks are listed. A task that cannot be
        read is treated as running on its node; it is unread only if its node cannot be read.
        """
        since = clock.now() - _FAILURES_SHOWN_FOR
        with translated("list the swarm's tasks"):
            listed = await self._docker.tasks.list()
        path = "rows of tasks"
        read, strange = self._faults.readable(path, listed, lambda raw: _task_since(raw, since))
        running, unread = self._faults.readable(path, strange, _running_task)
        tasks = (task for task in read if task is not None)
        return Rows((*tasks, *running), map(id_of, unread))

    async def change_service(
        self,
        service: ServiceId,
        *,
        version: int,
        constraints: tuple[str, ...],
        update: Mapping[str, Any] | None,
        replicas: int,
        label: str | None,
    ) -> None:
        """Set the fields that the leader changes temporarily; an empty value removes a field.

        `replicas` applies only to replicated services.

        Raises:
            UnavailableError: if the service has changed since this version.
        """
        with translated(f"change service {service}"):
            raw = await self._docker.services.inspect(service)
            if raw["Version"]["Index"] != version:
                name = raw["Spec"]["Name"]
                raise UnavailableError(f"service {name} has changed in the meantime")
            await self._docker._query_json(  # noqa: SLF001
                f"services/{service}/update",
                method="POST",
                params={"version": version},
                data=_changed(
                    raw["Spec"],
                    constraints=constraints,
                    update=update,
                    replicas=replicas,
                    label=label,
                ),
            )


def _changed(
    spec: Mapping[str, Any],
    *,
    constraints: tuple[str, ...],
    update: Mapping[str, Any] | None,
    replicas: int,
    label: str | None,
) -> dict[str, Any]:
    template = dict(spec["TaskTemplate"])
    template["Placement"] = _with(template.get("Placement"), "Constraints", list(constraints))
    new = _with(spec, "UpdateConfig", update) | {"TaskTemplate": template}
    new["Labels"] = _with(spec.get("Labels"), LABEL_LOAN, label)
    if "Replicated" in spec["Mode"]:
        new["Mode"] = {"Replicated": spec["Mode"]["Replicated"] | {"Replicas": replicas}}
    return new


def _with(table: Mapping[str, Any] | None, key: str, value: object) -> dict[str, Any]:
    """Copy the table with `key` set to `value`, or without `key` if `value` is empty."""
    others = {name: entry for name, entry in (table or {}).items() if name != key}
    return others | {key: value} if value else others


def _service(raw: Table) -> Service:
    spec = table(raw, "Spec")
    template, modes = table(spec, "TaskTemplate"), table(spec, "Mode")
    mode = next((mode for name, mode in _MODES.items() if name in modes), None)
    if mode is None:
        raise StrangeRow("Mode is unknown")
    # A plugin's template has no container.
    container = table(template, "ContainerSpec")
    placement = table(template, "Placement")
    reserved = table(table(template, "Resources"), "Reservations")
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
        has_host_ports=any(
            text(port, "PublishMode") == "host"
            for port in tables(table(spec, "EndpointSpec"), "Ports")
        ),
        has_local_volumes=any(_is_local(mount) for mount in tables(container, "Mounts")),
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


def _is_local(mount: Table) -> bool:
    kind = text(mount, "Type")
    if kind == "bind":
        return mount.get("ReadOnly") is not True
    if kind != "volume":
        return False
    driver = table(table(mount, "VolumeOptions"), "DriverConfig")
    if text(driver, "Name") not in {"", "local"}:
        return False
    return text(table(driver, "Options"), "type") not in _NETWORKED


def _task_since(raw: Table, since: datetime) -> Task | None:
    """Return a task, or None if it has ended and did not fail after `since`."""
    status, created = table(raw, "Status"), read_time(text(raw, "CreatedAt"))
    state = required(status, "State")
    if state in _ENDED and not (state in _FAILED and created > since):
        return None
    return Task(
        id=TaskId(required(raw, "ID")),
        service=ServiceId(text(raw, "ServiceID")),
        slot=number(raw, "Slot"),
        node=NodeId(text(raw, "NodeID")) if text(raw, "NodeID") else None,
        state=state,
        desired=required(raw, "DesiredState"),
        created=created,
        trouble="" if state == "running" else text(status, "Err") or text(status, "Message"),
    )


def _running_task(raw: Table) -> Task:
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
