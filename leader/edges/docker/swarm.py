"""The swarm, through this manager's own engine.

Rule: an update sends back the whole spec that was read, with its version and only our changes; of
two simultaneous updates the swarm refuses the later one.
"""

import json
from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Self

import aiohttp
from aiodocker import Docker

from leader.edges.docker import changes
from leader.edges.docker.errors import translated
from leader.edges.docker.work import Workload
from leader.view.ids import NodeId
from leader.view.model import Node
from leader.view.stance import Engine
from runtime import engine_api
from runtime.engine_api import ApiVersion
from runtime.errors import ClusterError, UnavailableError
from wire.labels import LABEL_PHASE
from wire.messages import Availability, Role

_CALL_SECONDS: Final = 20
SWARM_PORT = 2377
LOWEST_API: Final = ApiVersion(1, 41)
"""Of Docker 20.10: jobs, capabilities and limits of processes in the specs that are sent back."""


class Swarm:
    """Calls of the local engine; each may raise what `translated` raises.

    `work` has the calls about services and tasks, on the same connection.
    """

    work: Workload

    def __init__(self, url: str = "unix:///run/docker.sock") -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self._url, timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS))
        self.work = Workload(self._docker)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docker.close()

    async def engine(self) -> Engine:
        """This engine's state in the swarm; without a majority, a manager has an `error`."""
        try:
            with translated("asking the engine for its state"):
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
            # Every manager does this twice a second, so it must not list thousands of workers.
            with translated("listing the swarm's managers"):
                managers = await self._docker.nodes.list(filters={"role": "manager"})
        except UnavailableError as exc:
            return Engine(state=state, node=node, is_manager=True, error=error or str(exc))
        leaders = [manager for manager in map(_node, managers) if manager.is_leader]
        return Engine(
            state=state,
            node=node,
            is_manager=True,
            is_leader=any(leader.id == node for leader in leaders),
            leader=leaders[0].hostname if leaders else "",
            error=error,
        )

    async def init(self, *, address: str) -> None:
        """Found a swarm of this engine alone, advertised at its private address."""
        with translated("founding the swarm"):
            await self._docker.swarm.init(
                advertise_addr=address, listen_addr=f"{address}:{SWARM_PORT}", swarm_spec={}
            )

    async def ensure_network(self, name: str) -> bool:
        """Create an attachable overlay network unless it exists; True if it was created."""
        with translated(f"creating the network {name}"):
            networks = await self._docker.networks.list(filters={"name": name})
            # The filter also matches parts of names.
            if any(network["Name"] == name for network in networks):
                return False
            await self._docker.networks.create(
                {"Name": name, "Driver": "overlay", "Attachable": True, "CheckDuplicate": True}
            )
            return True

    async def nodes(self) -> tuple[Node, ...]:
        """All nodes of the swarm."""
        with translated("listing the swarm's nodes"):
            return tuple(_node(raw) for raw in await self._docker.nodes.list())

    def changes(self) -> AsyncGenerator[None, None]:
        """`changes.follow` on this engine."""
        return changes.follow(self._docker, within=_CALL_SECONDS)

    async def label(self, node: NodeId, labels: Mapping[str, str]) -> None:
        """Set these labels; the node's other labels stay."""
        await self.change_node(node, labels=labels)

    async def activate(self, node: NodeId, without: Collection[str] = (LABEL_PHASE,)) -> None:
        """Let the node take tasks and remove these labels, in one update."""
        await self.change_node(node, without=without, availability=Availability.ACTIVE)

    async def change_node(
        self,
        node: NodeId,
        *,
        availability: Availability | None = None,
        role: Role | None = None,
        labels: Mapping[str, str] | None = None,
        without: Collection[str] = (),
    ) -> None:
        """Change these properties in one update; the node's other labels stay.

        Nothing is written if nothing changes. A change of role takes the swarm a few seconds after
        this call, and it refuses to demote its last manager.
        """
        with translated(f"updating node {node}"):
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
            await self._docker.nodes.update(
                node_id=node, version=raw["Version"]["Index"], spec=spec
            )

    async def remove(self, node: NodeId, *, force: bool = False) -> None:
        """Remove a worker that is Down, or any worker by force; the swarm refuses managers."""
        with translated(f"removing node {node}"):
            await self._docker.nodes.remove(node_id=node, force=force)

    async def token(self, role: Role) -> str:
        """The role's current join token: a secret."""
        with translated("reading the join tokens"):
            swarm = await self._docker.swarm.inspect()
            return str(swarm["JoinTokens"][role.value.capitalize()])

    async def rotate(self, role: Role) -> None:
        """Replace the role's join token; nodes that have joined are not affected."""
        with translated(f"rotating the {role} token"):
            swarm = await self._docker.swarm.inspect()
            await self._update_swarm(swarm, **{f"rotate{role.value.capitalize()}Token": "true"})

    async def heartbeat(self) -> timedelta:
        """The interval of the nodes' heartbeats; a node that misses three is Down."""
        with translated("reading the swarm's heartbeat"):
            swarm = await self._docker.swarm.inspect()
        return timedelta(microseconds=swarm["Spec"]["Dispatcher"]["HeartbeatPeriod"] / 1000)

    async def set_heartbeat(self, period: timedelta) -> None:
        """Set the interval; nodes adopt it with their next heartbeat, without joining again."""
        with translated("setting the swarm's heartbeat"):
            swarm = await self._docker.swarm.inspect()
            spec = swarm["Spec"]
            nanoseconds = period // timedelta(microseconds=1) * 1000
            spec["Dispatcher"] = spec["Dispatcher"] | {"HeartbeatPeriod": nanoseconds}
            await self._update_swarm(swarm)

    async def _update_swarm(self, swarm: Mapping[str, Any], **flags: str) -> None:
        """POST /swarm/update with its whole spec; aiodocker has no call for it."""
        params = {"version": swarm["Version"]["Index"], **flags}
        async with self._docker._query(  # noqa: SLF001
            "swarm/update", method="POST", params=params, data=json.dumps(swarm["Spec"])
        ):
            return


def _node(raw: Mapping[str, Any]) -> Node:
    spec, status, manager = raw["Spec"], raw["Status"], raw.get("ManagerStatus") or {}
    # Until a new node's first session the swarm knows only its certificate.
    description = raw.get("Description") or {}
    platform, resources = description.get("Platform") or {}, description.get("Resources") or {}
    # A manager's Status.Addr can be 0.0.0.0; ManagerStatus has the one it advertises.
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
