"""Reads the local Docker engine's swarm state, and makes the engine join and leave the swarm.

If the managers are unreachable, a join call returns after 20 s and the engine keeps trying in the
background. `LocalNodeState` is then `error` until the engine is forced to leave the swarm.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple, Self, cast, get_args

import aiohttp
import structlog
from aiodocker import Docker
from aiodocker.exceptions import DockerError

from agent.model import EngineState, Ticket
from runtime import engine_api
from runtime.engine_api import ApiVersion
from runtime.errors import ClusterError, RefusedError, UnavailableError
from runtime.faults import cause_of
from runtime.logs import scrub

log = structlog.get_logger("engine")

_SECONDS = 30
_SWARM_PORT = 2377
LOWEST_API = ApiVersion(1, 31)
"""The API version of Docker 17.07, the first with DataPathAddr in a join."""
_CONNECT_SECONDS = 3
_STOP_SECONDS = 5
"""Half of the ten seconds before AWS acts; leaving takes two more seconds, and the farewell one."""
_LEAVE_SECONDS = 8
_TASK_LABEL = "com.docker.swarm.task.id"
_AWAY_STATUSES = frozenset({0, 500, 502, 504, 900})
"""aiodocker reports status 900 if it cannot connect to the engine. 503 is not in this set, because
the engine returns 503 when it rejects a swarm call."""
_JOIN_TIMEOUT = "Timeout was reached"
_STATES: Final = get_args(EngineState)


class Membership(NamedTuple):
    """The engine's swarm state, its node id, and the addresses of the managers."""

    state: EngineState
    error: str
    node: str
    is_manager: bool
    managers: tuple[str, ...]
    """The last known managers, each as `address:2377`."""


class Engine:
    """The local Docker engine. Its methods may raise UnavailableError or RefusedError."""

    def __init__(self, url: str = "unix:///run/docker.sock") -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self._url, timeout=aiohttp.ClientTimeout(total=_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docker.close()

    async def membership(self) -> Membership:
        """Return the engine's swarm state, its node id, and the addresses of the managers."""
        try:
            with _translated("the engine is not responding yet"):
                swarm = (await self._docker.system.info()).get("Swarm")
        except ClusterError:
            # Another engine version may start next: negotiate the API version again.
            self._docker.api_version = engine_api.NEWEST
            raise
        engine_api.require(self._docker.api_version, LOWEST_API, engine="17.07")
        return _membership(swarm)

    async def state(self) -> tuple[EngineState, str]:
        """Return the engine's LocalNodeState, and its error message, which may be empty."""
        membership = await self.membership()
        return membership.state, membership.error

    async def join(self, ticket: Ticket, *, address: str) -> None:
        """Join the swarm with the join token in `ticket`, using `address` for all swarm traffic.

        The engine tries only the first address in RemoteAddrs, so we pass the address of a manager
        that responds. We do not use aiodocker's method for joining a swarm, because it does not
        support Availability.
        """
        manager = await _answering(ticket.managers)
        with _translated("the engine did not join the swarm"):
            await self._docker._query_json(  # noqa: SLF001
                "swarm/join",
                method="POST",
                data={
                    "ListenAddr": f"{address}:{_SWARM_PORT}",
                    "AdvertiseAddr": address,
                    "DataPathAddr": address,
                    "RemoteAddrs": [manager],
                    "JoinToken": ticket.token,
                    "Availability": ticket.availability.value,
                },
            )

    async def leave_by_force(self) -> None:
        """Force the engine to leave the swarm. Do nothing if it is not in a swarm."""
        try:
            with _translated("could not leave the swarm"):
                await self._docker.swarm.leave(force=True)
        except RefusedError as exc:
            if "not part of a swarm" not in str(exc):
                raise

    async def leave(self) -> None:
        """Stop the tasks and leave the swarm; force the engine to leave if necessary.

        Only a worker may leave. A manager must be demoted first; otherwise, Raft would continue to
        count it as a voter. The tasks are stopped first, because leaving the swarm would kill them.
        """
        if (await self.membership()).is_manager:
            raise RefusedError("this engine is a manager; demote it before it leaves")
        try:
            async with asyncio.timeout(_STOP_SECONDS + 2):
                await self._stop_tasks()
        except (RefusedError, UnavailableError, TimeoutError) as exc:
            log.warning(
                "could not stop all tasks", reason=str(exc) or "the tasks took too long to stop"
            )
        # The engine must leave in time, even if its list of containers is in an unknown format.
        except Exception as exc:  # noqa: BLE001
            log.warning("could not stop all tasks", reason=cause_of(exc))
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                with _translated("could not leave the swarm"):
                    await self._docker.swarm.leave()
        except (RefusedError, UnavailableError, TimeoutError) as exc:
            log.warning(
                "forcing the engine to leave the swarm",
                reason=str(exc) or "the engine took too long to leave",
            )
            await self.leave_by_force()

    async def _stop_tasks(self) -> None:
        with _translated("could not stop the tasks"):
            tasks = await self._docker.containers.list(filters=json.dumps({"label": [_TASK_LABEL]}))
            stops = (task.stop(t=_STOP_SECONDS) for task in tasks)
            for outcome in await asyncio.gather(*stops, return_exceptions=True):
                # A task may already have ended, and leaving does not depend on the other tasks.
                if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
                    raise outcome
                if isinstance(outcome, Exception) and not isinstance(outcome, DockerError):
                    log.warning("could not stop a task", cause=cause_of(outcome))


def _membership(swarm: object) -> Membership:
    if not isinstance(swarm, Mapping) or swarm.get("LocalNodeState") not in _STATES:
        raise UnavailableError("the engine reports no swarm state that this agent knows")
    managers = swarm.get("RemoteManagers")
    addresses = [
        manager.get("Addr")
        for manager in (managers if isinstance(managers, list) else ())
        if isinstance(manager, Mapping)
    ]
    return Membership(
        state=cast("EngineState", swarm["LocalNodeState"]),
        error=scrub(str(swarm.get("Error") or "")),
        node=str(swarm.get("NodeID") or ""),
        is_manager=bool(swarm.get("ControlAvailable")),
        managers=tuple(address for address in addresses if isinstance(address, str)),
    )


async def _answering(managers: tuple[str, ...]) -> str:
    """Return the first address in `managers` that accepts a connection."""
    for manager in managers:
        host, _, port = manager.rpartition(":")
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host, int(port))
        # The address comes from the leader: one that is no address must not hide the others.
        except (OSError, TimeoutError, ValueError, OverflowError):
            continue
        writer.close()
        return manager
    raise UnavailableError(
        f"no manager responded at {', '.join(managers)}; open {_SWARM_PORT}/tcp to the managers"
    )


@contextmanager
def _translated(attempt: str) -> Iterator[None]:
    try:
        yield
    except DockerError as exc:
        # The engine probably never quotes tokens; scrub the message just in case.
        message = f"{attempt}: {scrub(str(exc.message))}"
        if exc.status in _AWAY_STATUSES or _JOIN_TIMEOUT in message:
            raise UnavailableError(message) from exc
        raise RefusedError(message) from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise UnavailableError(attempt) from exc
