"""Reads and changes the swarm and its nodes, through this manager's engine.

Rule: to update an object, read its complete spec, change only the necessary fields, and send the
spec back with its version. If two updates happen at the same time, the swarm rejects the later
update.
"""

import json
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

import aiohttp
from aiodocker import Docker

from leader.edges.docker import changes
from leader.edges.docker.errors import translated
from leader.edges.docker.work import Workload
from leader.view.ids import NodeId
from leader.view.model import Node, NodeBasis
from leader.view.stance import Engine
from runtime import engine_api
from runtime.engine_api import ApiVersion
from runtime.errors import ClusterError, UnavailableError
from wire.messages import Availability, Role

_CALL_SECONDS: Final = 20
SWARM_PORT = 2377
LOWEST_API: Final = ApiVersion(1, 41)
"""The API version of Docker 20.10. Older versions would drop jobs, capabilities and process limits
from the specs that we send back."""


class Swarm:
    """Reads and changes the swarm and its nodes through the local engine.

    All methods raise the same errors as `translated`. Methods for services and tasks are in `work`.
    """

    work: Workload

    def __init__(self, url: str = "unix:///run/docker.sock") -> None:
        self._url = url
        self._manager = ""
        """This engine's node id, if the engine was a manager when we last looked."""

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self._url, timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS))
        self.work = Workload(self._docker)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docker.close()

    async def engine(self) -> Engine:
        """Return this engine's state in the swarm; `error` is set if quorum is lost.

        Every manager makes this call twice a second. Therefore, it lists the managers only, and not
        thousands of workers. It does not call `/info` on an engine that still is a manager: `/info`
        starts `runc --version`, which takes five times as much CPU time as the list.
        """
        if self._manager:
            with suppress(ClusterError):
                managers = await self._managers()
                if any(manager.id == self._manager for manager in managers):
                    return _manager_engine(self._manager, managers)
        return await self._inspect()

    async def _inspect(self) -> Engine:
        self._manager = ""
        try:
            with translated("read the engine's state"):
                info = await self._docker.system.info()
        except ClusterError:
            # The engine may have been upgraded or downgraded: negotiate the API version again.
            self._docker.api_version = engine_api.NEWEST
            raise
        engine_api.require(self._docker.api_version, LOWEST_API, engine="20.10")
        swarm = info["Swarm"]
        state, error = swarm["LocalNodeState"], swarm.get("Error") or ""
        node = swarm.get("NodeID") or ""
        if state != "active" or not swarm.get("ControlAvailable"):
            return Engine(state=state, node=node, error=error)
        try:
            managers = await self._managers()
        except UnavailableError as exc:
            return Engine(state=state, node=node, is_manager=True, error=error or str(exc))
        self._manager = node
        return replace(_manager_engine(node, managers), error=error)

    async def _managers(self) -> tuple[Node, ...]:
        with translated("list the swarm's managers"):
            return tuple(map(_node, await self._docker.nodes.list(filters={"role": "manager"})))

    async def init(self, *, address: str) -> None:
        """Create a swarm with this engine as its only node; other nodes join at this address."""
        with translated("create the swarm"):
            await self._docker.swarm.init(
                advertise_addr=address, listen_addr=f"{address}:{SWARM_PORT}", swarm_spec={}
            )

    async def ensure_network(self, name: str) -> bool:
        """Create an attachable overlay network; return False if it already exists."""
        with translated(f"create the network {name}"):
            networks = await self._docker.networks.list(filters={"name": name})
            # The filter also matches networks whose names only contain this name.
            if any(network["Name"] == name for network in networks):
                return False
            await self._docker.networks.create(
                {"Name": name, "Driver": "overlay", "Attachable": True, "CheckDuplicate": True}
            )
            return True

    async def nodes(self) -> tuple[Node, ...]:
        """Return all nodes in the swarm."""
        with translated("list the swarm's nodes"):
            return tuple(_node(raw) for raw in await self._docker.nodes.list())

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield whenever nodes or services change; see `changes.follow`."""
        return changes.follow(self._docker, within=_CALL_SECONDS)

    async def change_node(
        self,
        node: NodeId,
        *,
        availability: Availability | None = None,
        role: Role | None = None,
        labels: Mapping[str, str] | None = None,
        without: Collection[str] = (),
        basis: NodeBasis | None = None,
    ) -> None:
        """Change the given properties of the node in one update, and keep its other labels.

        If nothing would change, no update is sent. A role change takes effect a few seconds after
        this call. The swarm refuses to demote its last manager.

        Raises:
            UnavailableError: if the node differs from `basis`, so the decision is out of date.
        """
        with translated(f"update node {node}"):
            raw = await self._docker.nodes.inspect(node_id=node)
            spec = dict(raw["Spec"])
            others = {k: v for k, v in (spec.get("Labels") or {}).items() if k not in without}
            spec["Labels"] = others | dict(labels or {})
            if availability is not None:
                spec["Availability"] = availability.value
            if role is not None:
                spec["Role"] = role.value
            if spec == raw["Spec"]:
                return
            if basis is not None and basis != _basis(raw["Spec"]):
                raise UnavailableError(f"node {node} has changed in the meantime")
            await self._docker.nodes.update(
                node_id=node, version=raw["Version"]["Index"], spec=spec
            )

    async def remove(self, node: NodeId, *, force: bool = False) -> None:
        """Remove a worker that is down, or any worker if `force` is set.

        The swarm refuses to remove managers.
        """
        with translated(f"remove node {node}"):
            await self._docker.nodes.remove(node_id=node, force=force)

    async def token(self, role: Role) -> str:
        """Return the role's current join token, which is a secret."""
        with translated("read the join tokens"):
            swarm = await self._docker.swarm.inspect()
            return str(swarm["JoinTokens"][role.value.capitalize()])

    async def rotate(self, role: Role) -> None:
        """Replace the role's join token; nodes that have already joined are not affected."""
        with translated(f"rotate the {role} join token"):
            swarm = await self._docker.swarm.inspect()
            await self._update_swarm(swarm, **{f"rotate{role.value.capitalize()}Token": "true"})

    async def heartbeat(self) -> timedelta:
        """Return the heartbeat interval; a node that misses three heartbeats is marked as Down."""
        with translated("read the swarm's heartbeat interval"):
            swarm = await self._docker.swarm.inspect()
        return timedelta(microseconds=swarm["Spec"]["Dispatcher"]["HeartbeatPeriod"] / 1000)

    async def set_heartbeat(self, period: timedelta) -> None:
        """Set the nodes' heartbeat interval; nodes adopt it with their next heartbeat."""
        with translated("set the swarm's heartbeat interval"):
            swarm = await self._docker.swarm.inspect()
            spec = swarm["Spec"]
            nanoseconds = period // timedelta(microseconds=1) * 1000
            spec["Dispatcher"] = spec["Dispatcher"] | {"HeartbeatPeriod": nanoseconds}
            await self._update_swarm(swarm)

    async def _update_swarm(self, swarm: Mapping[str, Any], **flags: str) -> None:
        """Update the swarm with its complete spec; aiodocker has no method for this call."""
        params = {"version": swarm["Version"]["Index"], **flags}
        async with self._docker._query(  # noqa: SLF001
            "swarm/update", method="POST", params=params, data=json.dumps(swarm["Spec"])
        ):
            return


def _manager_engine(node: str, managers: Collection[Node]) -> Engine:
    leaders = [manager for manager in managers if manager.is_leader]
    return Engine(
        state="active",
        node=node,
        is_manager=True,
        is_leader=any(leader.id == node for leader in leaders),
        leader=leaders[0].hostname if leaders else "",
    )


def _basis(spec: Mapping[str, Any]) -> NodeBasis:
    return NodeBasis.of(
        Role(spec["Role"]), Availability(spec["Availability"]), spec.get("Labels") or {}
    )


def _node(raw: Mapping[str, Any]) -> Node:
    spec, status, manager = raw["Spec"], raw["Status"], raw.get("ManagerStatus") or {}
    # Before a new node's first session, the swarm has only the node's certificate.
    description = raw.get("Description") or {}
    platform, resources = description.get("Platform") or {}, description.get("Resources") or {}
    # A manager's Status.Addr can be 0.0.0.0; ManagerStatus has the advertised address.
    address = str(manager.get("Addr", "")).rpartition(":")[0] or str(status.get("Addr", ""))
    return Node(
        id=NodeId(raw["ID"]),
        hostname=description.get("Hostname") or raw["ID"],
        role=Role(spec["Role"]),
        status=str(status["State"]).lower(),
        availability=Availability(spec["Availability"]),
        address=address,
        created=datetime.fromisoformat(raw["CreatedAt"]),
        is_leader=bool(manager.get("Leader")),
        reachability=manager.get("Reachability"),
        status_address=str(status.get("Addr", "")),
        labels=dict(spec.get("Labels") or {}),
        engine_labels=dict((description.get("Engine") or {}).get("Labels") or {}),
        platform=(platform.get("OS", "linux"), platform.get("Architecture", "x86_64")),
        cpu=resources.get("NanoCPUs", 0),
        memory=resources.get("MemoryBytes", 0),
    )
