"""The swarm, through this manager's own engine.

Rule: events are hints. `changes` yields whenever something may have changed, and once after
every (re)opening; the caller lists anew. aiodocker's subscription goes deaf for good when
its stream ends, so each opening stops it first and subscribes afresh.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self

import aiohttp
from aiodocker import Docker

from leader.edges.engine_errors import translated
from leader.ids import NodeId
from leader.model import LABEL_PHASE, Node
from leader.stance import Engine
from runtime.errors import UnavailableError
from wire.messages import Availability, Role

_CALL_SECONDS = 20
SWARM_PORT = 2377


class Swarm:
    """Calls of the local engine; every one may raise what `translated` says."""

    def __init__(self, url: str = "unix:///run/docker.sock") -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self._url, timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docker.close()

    async def engine(self) -> Engine:
        """What this engine is in the swarm; a manager without a majority has an `error`."""
        with translated("asking the engine for its state"):
            info = await self._docker.system.info()
        swarm = info["Swarm"]
        state, error = swarm["LocalNodeState"], swarm.get("Error") or ""
        node = swarm.get("NodeID") or ""
        if state != "active" or not swarm.get("ControlAvailable"):
            return Engine(state=state, node=node, error=error)
        try:
            nodes = await self.nodes()
        except UnavailableError as exc:
            return Engine(state=state, node=node, is_manager=True, error=error or str(exc))
        leaders = [found for found in nodes if found.is_leader]
        return Engine(
            state=state,
            node=node,
            is_manager=True,
            is_leader=any(found.node == node for found in leaders),
            leader=leaders[0].hostname if leaders else "",
            error=error,
        )

    async def found(self, *, address: str) -> None:
        """Make a swarm of this engine alone, advertised at its private address."""
        with translated("founding the swarm"):
            await self._docker.swarm.init(
                advertise_addr=address, listen_addr=f"{address}:{SWARM_PORT}", swarm_spec={}
            )

    async def ensure_network(self, name: str) -> bool:
        """Make an attachable overlay network unless there is one; True if it was made."""
        with translated(f"making the network {name}"):
            found = await self._docker.networks.list(filters={"name": name})
            if any(network["Name"] == name for network in found):
                return False
            await self._docker.networks.create(
                {"Name": name, "Driver": "overlay", "Attachable": True, "CheckDuplicate": True}
            )
            return True

    async def nodes(self) -> tuple[Node, ...]:
        """All nodes of the swarm."""
        with translated("listing the swarm's nodes"):
            return tuple(_node(raw) for raw in await self._docker.nodes.list())

    async def changes(self) -> AsyncIterator[None]:
        """Yield once now, then at every node event; ends when the stream does."""
        with translated("following the engine's events"):
            await self._docker.events.stop()  # type: ignore[no-untyped-call]
            events = self._docker.events.subscribe(  # type: ignore[no-untyped-call]
                filters='{"type":["node"]}'
            )
            yield
            while await events.get() is not None:
                yield

    async def label(self, node: NodeId, labels: Mapping[str, str]) -> None:
        """Set these labels; the node's others stay."""
        await self._update(node, labels=labels)

    async def activate(self, node: NodeId) -> None:
        """Let the node take tasks and end its joining phase, in one update."""
        await self._update(node, without=LABEL_PHASE, availability=Availability.ACTIVE)

    async def _update(
        self,
        node: NodeId,
        *,
        labels: Mapping[str, str] | None = None,
        without: str | None = None,
        availability: Availability | None = None,
    ) -> None:
        with translated(f"updating node {node}"):
            raw = await self._docker.nodes.inspect(node_id=node)
            spec = dict(raw["Spec"])
            kept = {k: v for k, v in (spec.get("Labels") or {}).items() if k != without}
            spec["Labels"] = kept | dict(labels or {})
            if availability is not None:
                spec["Availability"] = availability.value
            await self._docker.nodes.update(
                node_id=node, version=raw["Version"]["Index"], spec=spec
            )

    async def remove(self, node: NodeId) -> None:
        """Remove a node that is Down; the swarm refuses any other."""
        with translated(f"removing node {node}"):
            await self._docker.nodes.remove(node_id=node)

    async def token(self, role: Role) -> str:
        """The role's join token as it is now: a secret."""
        with translated("reading the join tokens"):
            swarm = await self._docker.swarm.inspect()
            return str(swarm["JoinTokens"][role.value.capitalize()])

    async def rotate(self, role: Role) -> None:
        """Replace the role's join token (POST /swarm/update; aiodocker has no call for it)."""
        with translated(f"rotating the {role} token"):
            swarm = await self._docker.swarm.inspect()
            async with self._docker._query(  # noqa: SLF001
                "swarm/update",
                method="POST",
                params={
                    "version": swarm["Version"]["Index"],
                    f"rotate{role.value.capitalize()}Token": "true",
                },
                data=json.dumps(swarm["Spec"]),
            ):
                return


def _node(raw: Mapping[str, Any]) -> Node:
    spec, status, manager = raw["Spec"], raw["Status"], raw.get("ManagerStatus") or {}
    # A manager's Status.Addr can be 0.0.0.0; ManagerStatus has the one it advertises.
    address = str(manager.get("Addr", "")).rpartition(":")[0] or str(status.get("Addr", ""))
    return Node(
        node=NodeId(raw["ID"]),
        # Until a new node's first session the swarm knows its certificate and no more.
        hostname=raw.get("Description", {}).get("Hostname") or raw["ID"],
        role=Role(spec["Role"]),
        status=str(status["State"]).lower(),
        availability=Availability(spec["Availability"]),
        address=address,
        created=datetime.fromisoformat(raw["CreatedAt"]),
        is_leader=bool(manager.get("Leader")),
        reachability=manager.get("Reachability"),
        labels=dict(spec.get("Labels") or {}),
    )
