"""Reads services and tasks, and changes services, through this manager's engine.

Rule: to change a service, send back its current spec with only our fields changed. The engine does
not resolve image tags to digests. If an update contains no registry credentials, the engine keeps
the credentials of the previous spec (`registryAuthFrom`,
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceUpdate).
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from aiodocker import Docker

from leader.edges.docker.errors import translated
from leader.edges.docker.fields import Table, id_of
from leader.edges.docker.volumes import has_cluster_volumes
from leader.edges.docker.work_rows import running_task, service_of, task_since
from leader.view.ids import ServiceId
from leader.view.rows import Rows
from leader.view.work import Service, Task
from runtime import clock
from runtime.errors import ClusterError, UnavailableError
from runtime.faults import Faults
from wire.labels import LABEL_LOAN

_FAILURES_SHOWN_FOR: Final = timedelta(minutes=10)
_VOLUMES_SECONDS: Final = 3


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
        volumes = await self._volumes() if has_cluster_volumes(listed) else ()
        services, unread = self._faults.readable(
            "rows of services", listed, lambda raw: service_of(raw, volumes)
        )
        return Rows(services, map(id_of, unread))

    async def _volumes(self) -> Sequence[Table]:
        """Return the engine's volumes, or none if a volume plugin does not answer in time.

        A cluster volume that is not listed counts as one that only one node can have.
        """
        try:
            with translated("list the volumes"):
                async with asyncio.timeout(_VOLUMES_SECONDS):
                    listed = await self._docker.volumes.list()  # type: ignore[no-untyped-call]
        except ClusterError:
            return ()
        volumes = listed.get("Volumes") if isinstance(listed, Mapping) else None
        return volumes if isinstance(volumes, list) else ()

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
        read, strange = self._faults.readable(path, listed, lambda raw: task_since(raw, since))
        running, unread = self._faults.readable(path, strange, running_task)
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
