"""Poll the manager's node list to detect when nodes join.

Rule: timing starts just before the command and stops when a response shows the node as Ready. For
all methods, both times are measured on this host.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiodocker import Docker
from aiodocker.exceptions import DockerError

from lab.host import LabError
from lab.machines.machine import Machine
from runtime import clock
from wire.labels import LABEL_INSTANCE

POLL_SECONDS: Final = 0.01
"""Time from a response to the next request."""
_SETTLE_SECONDS: Final = 2.0
"""Time after a clean-up for engines to remove their overlay network and the leader to notice."""


@dataclass(slots=True)
class FirstSeen:
    """When each host was first seen as Ready, and as active, according to the monotonic clock."""

    ready: dict[str, float] = field(default_factory=dict)
    active: dict[str, float] = field(default_factory=dict)
    """When each host was first seen to be Ready, labelled and accepting tasks."""
    coarsest: float = 0.0
    """The longest time between two responses. A recorded time may be late by up to this much."""


class Watch:
    """Polls the manager's engine, and removes the workers from the swarm after each round."""

    def __init__(self, manager: Machine, workers: list[Machine]) -> None:
        self._manager = manager
        self._workers = workers

    async def __aenter__(self) -> Self:
        self._engine = Docker(url=self._manager.docker_host)
        self._engines = {
            worker.hostname: Docker(url=worker.docker_host) for worker in self._workers
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in (self._engine, *self._engines.values()):
            await engine.close()

    async def token(self) -> str:
        """Return the current join token for workers, which the leader may have rotated."""
        return str((await self._engine.swarm.inspect())["JoinTokens"]["Worker"])

    async def follow(
        self, machines: Iterable[Machine], first: FirstSeen, *, until_active: bool, within: float
    ) -> None:
        """Record in `first` when each node becomes Ready and when it becomes active.

        Return when all nodes are Ready or, if `until_active` is True, when all nodes are active.

        Raises:
            LabError: if nodes are still missing after `within` seconds. The message names them.
        """
        names = {machine.hostname for machine in machines}
        reached = first.active if until_active else first.ready
        before = clock.monotonic()
        deadline = before + within
        while set(reached) != names:
            nodes = await self._engine.nodes.list()
            at = clock.monotonic()
            before, first.coarsest = at, max(first.coarsest, at - before)
            for node in nodes:
                name = node["Description"].get("Hostname")
                if name in names and node["Status"]["State"] == "ready":
                    first.ready.setdefault(name, at)
                    if is_active(node):
                        first.active.setdefault(name, at)
            if at > deadline:
                missing = ", ".join(sorted(names - set(reached)))
                raise LabError(f"nodes did not join the swarm within {within:.0f} s: {missing}")
            await asyncio.sleep(POLL_SECONDS)

    async def clean(self) -> None:
        """Stop all agents and remove all workers from the swarm before the next round."""
        await asyncio.gather(*(self._leave(machine) for machine in self._workers))
        own = (await self._engine.system.info())["Swarm"]["NodeID"]
        deadline = clock.monotonic() + 30
        while others := [node for node in await self._engine.nodes.list() if node["ID"] != own]:
            for node in others:
                await self._remove(node["ID"])
            if clock.monotonic() > deadline:
                raise LabError(f"{len(others)} nodes could not be removed from the swarm")
            await asyncio.sleep(0.1)
        await asyncio.sleep(_SETTLE_SECONDS)

    async def _leave(self, machine: Machine) -> None:
        stop = ("systemctl", "stop", "spotswarm-agent.service")
        await asyncio.to_thread(machine.run, *stop, timeout=60)
        engine = self._engines[machine.hostname]
        deadline = clock.monotonic() + 30
        while (await engine.system.info())["Swarm"]["LocalNodeState"] != "inactive":
            try:
                await engine.swarm.leave(force=True)
            except DockerError as exc:
                if clock.monotonic() > deadline:
                    raise LabError(
                        f"{machine.hostname} could not leave the swarm: {exc.message}"
                    ) from exc
            await asyncio.sleep(0.1)

    async def _remove(self, node: str) -> None:
        try:
            await self._engine.nodes.remove(node_id=node, force=True)
        except DockerError as exc:
            # 404: the node is gone. 500: the node has changed meanwhile, so the caller retries.
            if exc.status not in {404, 500}:
                raise LabError(f"could not remove node {node}: {exc.message}") from exc


def is_active(node: Mapping[str, Any]) -> bool:
    """Return whether a Ready node accepts tasks and has a label that names its instance."""
    spec = node["Spec"]
    labelled = LABEL_INSTANCE in (spec.get("Labels") or {})
    return spec.get("Availability") == "active" and labelled
