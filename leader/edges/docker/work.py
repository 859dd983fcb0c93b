"""Reads services and tasks, and changes services, through this manager's engine.

Rule: to change a service, send back its current spec with only our fields changed. The engine does
not resolve image tags to digests. If an update contains no registry credentials, the engine keeps
the credentials of the previous spec (`registryAuthFrom`,
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceUpdate).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from aiodocker import Docker

from leader.edges.docker.errors import translated
from leader.edges.docker.resources import generic_resources
from leader.edges.docker.volumes import (
    has_cluster_volumes,
    is_for_one_node,
    is_on_one_machine,
    plugin_of,
)
from leader.view.ids import NodeId, ServiceId, TaskId
from leader.view.work import Mode, Service, Task
from runtime import clock
from runtime.errors import ClusterError, UnavailableError
from wire.labels import LABEL_LOAN
from wire.platforms import platforms_of

_ENDED: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_FAILED: Final = frozenset({"failed", "rejected", "complete"})
"""How a task can end by itself; whether `complete` is a failure depends on the task's service."""
_FAILURES_SHOWN_FOR: Final = timedelta(minutes=10)
_VOLUMES_SECONDS: Final = 3
_MODES: Final[Mapping[str, Mode]] = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


class Workload:
    """Reads services and tasks, and changes services, through the local engine.

    All methods raise the same errors as `translated`.
    """

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    async def services(self) -> tuple[Service, ...]:
        """Return all services in the swarm."""
        with translated("list the swarm's services"):
            listed = await self._docker.services.list()
        volumes = await self._volumes() if has_cluster_volumes(listed) else ()
        return tuple(_service(raw, volumes) for raw in listed)

    async def _volumes(self) -> Sequence[Mapping[str, Any]]:
        """Return the engine's volumes, or none if a volume plugin does not answer in time.

        A cluster volume that is not listed counts as one that only one node can have.
        """
        try:
            with translated("list the volumes"):
                async with asyncio.timeout(_VOLUMES_SECONDS):
                    listed = await self._docker.volumes.list()  # type: ignore[no-untyped-call]
        except ClusterError:
            return ()
        volumes = listed.get("Volumes")
        return volumes if isinstance(volumes, list) else ()

    async def tasks(self) -> tuple[Task, ...]:
        """Return all tasks that have not ended, and tasks that failed recently.

        The API can filter tasks only by desired state. Such a filter would omit tasks that should
        shut down but are still running, so this method lists all tasks and drops the ended tasks.
        Swarm's `--task-history-limit` limits how many ended tasks are listed.
        """
        since = clock.now() - _FAILURES_SHOWN_FOR
        with translated("list the swarm's tasks"):
            listed = await self._docker.tasks.list()
        return tuple(_task(raw) for raw in listed if _counts(raw, since))

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


def _service(raw: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]] = ()) -> Service:
    spec = raw["Spec"]
    template = spec["TaskTemplate"]
    # A plugin's template has no container.
    container = template.get("ContainerSpec") or {}
    placement = template.get("Placement") or {}
    reserved = (template.get("Resources") or {}).get("Reservations") or {}
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    mounts = container.get("Mounts") or ()
    grace = container.get("StopGracePeriod")
    return Service(
        id=ServiceId(raw["ID"]),
        name=spec["Name"],
        version=raw["Version"]["Index"],
        mode=next(mode for name, mode in _MODES.items() if name in spec["Mode"]),
        replicas=spec["Mode"].get("Replicated", {}).get("Replicas", 0),
        constraints=tuple(placement.get("Constraints") or ()),
        has_preferences=bool(placement.get("Preferences")),
        most_per_node=placement.get("MaxReplicas", 0),
        update=spec.get("UpdateConfig"),
        update_state=(raw.get("UpdateStatus") or {}).get("State", ""),
        template=_digest(template),
        has_health_check=_is_check(container.get("Healthcheck")),
        has_host_ports=any(port.get("PublishMode") == "host" for port in ports),
        has_local_volumes=any(map(is_on_one_machine, mounts)),
        has_single_node_volumes=any(is_for_one_node(mount, volumes) for mount in mounts),
        host_ports=frozenset(
            (str(port.get("Protocol", "tcp")), int(port["PublishedPort"]))
            for port in ports
            if port.get("PublishMode") == "host" and port.get("PublishedPort")
        ),
        volume_plugins=frozenset(filter(None, map(plugin_of, mounts))),
        platforms=platforms_of(placement),
        generic=generic_resources(reserved),
        cpu=reserved.get("NanoCPUs", 0),
        memory=reserved.get("MemoryBytes", 0),
        stop_grace=timedelta(seconds=10 if grace is None else grace / 1_000_000_000),
        labels=dict(spec.get("Labels") or {}),
    )


def _digest(template: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in template.items() if key != "Placement"}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]


def _is_check(check: Mapping[str, Any] | None) -> bool:
    """Return whether the spec contains a health check; checks defined in the image do not count."""
    test = (check or {}).get("Test") or ["NONE"]
    return bool(test[0] != "NONE")


def _task(raw: Mapping[str, Any]) -> Task:
    status = raw["Status"]
    node, state = raw.get("NodeID"), status["State"]
    return Task(
        id=TaskId(raw["ID"]),
        service=ServiceId(raw.get("ServiceID", "")),
        slot=raw.get("Slot", 0),
        node=NodeId(node) if node else None,
        state=state,
        desired=raw["DesiredState"],
        created=datetime.fromisoformat(raw["CreatedAt"]),
        trouble="" if state == "running" else _trouble(status),
        may_end=_may_end(raw),
    )


def _trouble(status: Mapping[str, Any]) -> str:
    if status["State"] == "complete":
        return "it ended with exit code 0, perhaps because its health check had failed"
    return str(status.get("Err") or status.get("Message", ""))


def _may_end(raw: Mapping[str, Any]) -> bool:
    """Return whether a task that ends with exit code 0 has done what it is for."""
    policy = (raw.get("Spec") or {}).get("RestartPolicy") or {}
    return "JobIteration" in raw or policy.get("Condition", "any") not in {"", "any"}


def _counts(raw: Mapping[str, Any], since: datetime) -> bool:
    state = raw["Status"]["State"]
    if state not in _ENDED:
        return True
    if state == "complete" and _may_end(raw):
        return False
    return state in _FAILED and datetime.fromisoformat(raw["CreatedAt"]) > since
