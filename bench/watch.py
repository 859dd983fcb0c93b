"""The one detector for all ways: the manager engine's list of nodes, polled.

Rule: what starts the clock is the moment before a command is given, what stops it the answer
that shows a node as Ready; both on this host, so that no way is timed by its own word.
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

EVERY: Final = 0.01
"""Seconds from an answer to the next look."""
_SETTLE: Final = 2.0
"""Seconds after a clean-up: engines end their overlay in the background, the leader takes note."""


@dataclass(slots=True)
class Seen:
    """When each node was first seen so, in seconds of the monotonic clock, by host name."""

    ready: dict[str, float] = field(default_factory=dict)
    active: dict[str, float] = field(default_factory=dict)
    """Ready, bound to its instance by a label, and taking tasks."""
    coarsest: float = 0.0
    """The longest time between two looks: what a figure may be late by at most."""


class Watch:
    """Looks at the manager's engine and brings the workers back to no swarm."""

    def __init__(self, manager: Machine, workers: list[Machine]) -> None:
        self._manager = manager
        self._workers = workers

    async def __aenter__(self) -> Self:
        self._engine = Docker(url=self._manager.docker_host)
        self._engines = {one.hostname: Docker(url=one.docker_host) for one in self._workers}
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in (self._engine, *self._engines.values()):
            await engine.close()

    async def token(self) -> str:
        """The worker token as it is now; the leader rotates it."""
        return str((await self._engine.swarm.inspect())["JoinTokens"]["Worker"])

    async def follow(
        self, machines: Iterable[Machine], seen: Seen, *, until_active: bool, within: float
    ) -> None:
        """Fill `seen` until every machine's node is Ready, or also active.

        Raises:
            LabError: names who is missing.
        """
        names = {machine.hostname for machine in machines}
        stage = seen.active if until_active else seen.ready
        before = clock.monotonic()
        deadline = before + within
        while set(stage) != names:
            nodes = await self._engine.nodes.list()
            at = clock.monotonic()
            before, seen.coarsest = at, max(seen.coarsest, at - before)
            for node in nodes:
                name = node["Description"].get("Hostname")
                if name in names and node["Status"]["State"] == "ready":
                    seen.ready.setdefault(name, at)
                    if is_active(node):
                        seen.active.setdefault(name, at)
            if at > deadline:
                missing = ", ".join(sorted(names - set(stage)))
                raise LabError(f"not in the swarm after {within:.0f} s: {missing}")
            await asyncio.sleep(EVERY)

    async def clean(self) -> None:
        """Every worker out of the swarm, its agent stopped, its entry gone; the same each time."""
        await asyncio.gather(*(self._leave(machine) for machine in self._workers))
        own = (await self._engine.system.info())["Swarm"]["NodeID"]
        deadline = clock.monotonic() + 30
        while others := [one for one in await self._engine.nodes.list() if one["ID"] != own]:
            for node in others:
                await self._remove(node["ID"])
            if clock.monotonic() > deadline:
                raise LabError(f"{len(others)} nodes cannot be removed from the swarm")
            await asyncio.sleep(0.1)
        await asyncio.sleep(_SETTLE)

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
                    raise LabError(f"{machine.hostname} cannot leave: {exc.message}") from exc
            await asyncio.sleep(0.1)

    async def _remove(self, node: str) -> None:
        try:
            await self._engine.nodes.remove(node_id=node, force=True)
        except DockerError as exc:
            # 404: gone meanwhile; 500: the manager had a newer version of it, so once more.
            if exc.status not in {404, 500}:
                raise LabError(f"node {node} cannot be removed: {exc.message}") from exc


def is_active(node: Mapping[str, Any]) -> bool:
    """Whether a Ready node is labelled with its instance and takes tasks."""
    spec = node["Spec"]
    labelled = LABEL_INSTANCE in (spec.get("Labels") or {})
    return spec.get("Availability") == "active" and labelled
