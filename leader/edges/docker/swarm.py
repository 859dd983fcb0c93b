"""Reads and changes the swarm and its nodes, through this manager's engine.

Rule: to update an object, read its complete spec, change only the necessary fields, and send the
spec back with its version. If two updates happen at the same time, the swarm rejects the later
update.
"""

import json
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any, Final, NamedTuple, Self

import aiohttp
from aiodocker import Docker

from leader.edges.docker import changes
from leader.edges.docker.errors import translated
from leader.edges.docker.fields import Table, id_of, labels, number, required, table, text
from leader.edges.docker.networks import Networks
from leader.edges.docker.resources import generic_resources
from leader.edges.docker.volumes import plugins_on
from leader.edges.docker.work import Workload
from leader.upkeep.subnets import PREFIX
from leader.view.ids import NodeId
from leader.view.model import Node, NodeBasis
from leader.view.rows import Rows
from leader.view.stance import Engine
from runtime import engine_api
from runtime.engine_api import ApiVersion
from runtime.errors import ClusterError, UnavailableError
from runtime.faults import Faults
from wire.labels import read_time
from wire.messages import Availability, Role

_CALL_SECONDS: Final = 20
SWARM_PORT = 2377
NODES_PATH: Final = "rows of nodes"
"""The input path under which unreadable nodes are counted."""
LOWEST_API: Final = ApiVersion(1, 41)
"""The API version of Docker 20.10. Older versions would drop jobs, capabilities and process limits
from the specs that we send back."""


class _Manager(NamedTuple):
    """What decides which manager leads; it is readable even if the node's other fields are not."""

    id: str
    hostname: str
    is_leader: bool


class Swarm:
    """Reads and changes the swarm and its nodes through the local engine.

    All methods raise the same errors as `translated`. Methods for services and tasks are in `work`.
    """

    work: Workload

    def __init__(
        self, url: str = "unix:///run/docker.sock", *, faults: Faults | None = None
    ) -> None:
        self._url = url
        self._faults = faults or Faults()
        self._manager = ""
        """This engine's node id, if the engine was a manager when we last looked."""

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self._url, timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS))
        self.work = Workload(self._docker, self._faults)
        self._networks = Networks(self._docker, self._faults)
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

    async def _managers(self) -> tuple[_Manager, ...]:
        with translated("list the swarm's managers"):
            listed = await self._docker.nodes.list(filters={"role": "manager"})
        return tuple(self._faults.readable(NODES_PATH, listed, _manager)[0])

    async def init(self, *, address: str, pool: IPv4Network | None = None) -> None:
        """Create a swarm with this engine as its only node; other nodes join at this address.

        Overlay networks get their addresses from the pool, or from Swarm's default pool.
        """
        sizes: dict[str, Any] = {"default_addr_pool": [str(pool)], "subnet_size": PREFIX}
        with translated("create the swarm"):
            await self._docker.swarm.init(
                advertise_addr=address,
                listen_addr=f"{address}:{SWARM_PORT}",
                swarm_spec={},
                **({} if pool is None else sizes),
            )

    async def ensure_network(
        self,
        name: str,
        *,
        avoid: Iterable[IPv4Network] = (),
        pool: IPv4Network | None = None,
    ) -> bool:
        """Create an attachable overlay network, unless it exists; see `Networks.ensure`."""
        return await self._networks.ensure(name, avoid=avoid, pool=pool)

    async def nodes(self) -> Rows[Node]:
        """Return all nodes in the swarm, except those that cannot be read."""
        with translated("list the swarm's nodes"):
            listed = await self._docker.nodes.list()
        nodes, unread = self._faults.readable(NODES_PATH, listed, _node)
        return Rows(nodes, map(id_of, unread))

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


def _manager_engine(node: str, managers: Collection[_Manager]) -> Engine:
    leaders = [manager for manager in managers if manager.is_leader]
    return Engine(
        state="active",
        node=node,
        is_manager=True,
        is_leader=any(leader.id == node for leader in leaders),
        leader=leaders[0].hostname if leaders else "",
    )


def _manager(raw: Table) -> _Manager:
    hostname = text(table(raw, "Description"), "Hostname")
    is_leader = table(raw, "ManagerStatus").get("Leader") is True
    return _Manager(required(raw, "ID"), hostname or required(raw, "ID"), is_leader)


def _basis(spec: Table) -> NodeBasis:
    return NodeBasis.of(
        Role(required(spec, "Role")), Availability(required(spec, "Availability")), labels(spec)
    )


def _node(raw: Table) -> Node:
    spec, status, manager = table(raw, "Spec"), table(raw, "Status"), table(raw, "ManagerStatus")
    # Before a new node's first session, the swarm has only the node's certificate.
    description = table(raw, "Description")
    platform, resources = table(description, "Platform"), table(description, "Resources")
    # A manager's Status.Addr can be 0.0.0.0; ManagerStatus has the advertised address.
    address = text(manager, "Addr").rpartition(":")[0] or text(status, "Addr")
    return Node(
        id=NodeId(required(raw, "ID")),
        hostname=text(description, "Hostname") or required(raw, "ID"),
        role=Role(required(spec, "Role")),
        status=required(status, "State").lower(),
        availability=Availability(required(spec, "Availability")),
        address=address,
        created=read_time(text(raw, "CreatedAt")),
        is_leader=manager.get("Leader") is True,
        reachability=text(manager, "Reachability") or None,
        status_address=text(status, "Addr"),
        labels=labels(spec),
        engine_labels=labels(table(description, "Engine")),
        platform=(text(platform, "OS", "linux"), text(platform, "Architecture", "x86_64")),
        cpu=number(resources, "NanoCPUs"),
        memory=number(resources, "MemoryBytes"),
        generic=generic_resources(resources),
        volume_plugins=plugins_on(description),
    )
