"""Lists the swarm's nodes, services and tasks, and puts the lists into the inbox.

Rule: trust only the lists; treat the engine's events only as signals to request new lists.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from leader.edges.docker.swarm import Swarm
from leader.term.inbox import Inbox
from leader.view.events import NodesListed, WorkListed
from leader.view.ids import NodeId
from leader.view.model import Node, View
from leader.view.rows import Rows
from runtime import clock
from runtime.errors import ClusterError
from runtime.faults import Faults
from wire.labels import LABEL_LOAN, LEAVING, RETURNING

_RELIST_SECONDS: Final = 10.0
_MOVING_SECONDS: Final = 0.5
"""Time between two lists of tasks while tasks move, because Swarm sends no events for tasks."""
_LISTING_SHARE: Final = 3
"""The pause after listing services and tasks, as a multiple of the time that the listing took."""


class Deposed(Exception):  # noqa: N818  not an error: Raft chose another leader
    """Raised when another manager has become, or may have become, the Raft leader."""


class Listing:
    """Lists nodes, services and tasks during one term."""

    def __init__(
        self,
        swarm: Swarm,
        inbox: Inbox,
        *,
        own_node: NodeId | str,
        stale_after: timedelta,
        view: Callable[[], View],
        faults: Faults,
    ) -> None:
        self._swarm = swarm
        self._faults = faults
        self._inbox = inbox
        self._own_node = own_node
        self._stale_after = stale_after
        self._view = view
        self._nodes_changed = asyncio.Event()
        self._work_changed = asyncio.Event()
        self._nodes_listed_at: datetime = clock.steady()

    def request_work(self) -> None:
        """Make `list_work` list services and tasks as soon as possible."""
        self._work_changed.set()

    async def follow_changes(self) -> None:
        """Request new lists after each event from the engine, until the event stream ends."""
        async for _ in self._swarm.changes():
            self._nodes_changed.set()
            self._work_changed.set()

    async def list_nodes(self) -> None:
        """List the nodes after each event from the engine, and at regular intervals.

        Raises:
            Deposed: if another manager leads, or if the last list of nodes is so old that another
                manager may lead.
        """
        while True:
            requested_at = clock.steady()
            nodes = await self._nodes()
            heartbeat: timedelta | None = None
            with self._faults.contained("the swarm's settings", passing=(ClusterError,)):
                heartbeat = await self._swarm.heartbeat()
            await self._inbox.put(
                NodesListed(
                    self._inbox.new_id("nodes"),
                    clock.steady(),
                    nodes,
                    requested_at,
                    heartbeat,
                    nodes.unread,
                )
            )
            if not await self._is_leader(nodes):
                raise Deposed("Raft chose another leader")
            await _event_or_timeout(self._nodes_changed, _RELIST_SECONDS)
            self._nodes_changed.clear()

    async def _is_leader(self, nodes: Rows[Node]) -> bool:
        if {self._own_node, ""}.isdisjoint(nodes.unread):
            return any(node.is_leader and node.id == self._own_node for node in nodes)
        # This manager's own row may be the one that cannot be read.
        return (await self._swarm.engine()).is_leader

    async def _nodes(self) -> Rows[Node]:
        try:
            nodes = await self._swarm.nodes()
        except Exception as exc:
            if clock.steady() - self._nodes_listed_at > self._stale_after:
                reason = str(exc) if isinstance(exc, ClusterError) else type(exc).__name__
                raise Deposed(f"the list of nodes is too old: {reason}") from exc
            raise
        self._nodes_listed_at = clock.steady()
        return nodes

    async def list_work(self) -> None:
        """List services and tasks after events and at regular intervals.

        The intervals are shorter while tasks are moving.
        """
        while True:
            self._work_changed.clear()
            requested_at, started = clock.steady(), clock.monotonic()
            services = await self._swarm.work.services()
            tasks = await self._swarm.work.tasks()
            await self._inbox.put(
                WorkListed(
                    self._inbox.new_id("work"),
                    clock.steady(),
                    services,
                    tasks,
                    requested_at,
                    is_complete=not tasks.unread,
                )
            )
            await asyncio.sleep((clock.monotonic() - started) * _LISTING_SHARE)
            await _event_or_timeout(
                self._work_changed, _MOVING_SECONDS if self._is_moving() else _RELIST_SECONDS
            )

    def _is_moving(self) -> bool:
        view = self._view()
        return (
            view.work is None
            or any(node.phase in {LEAVING, RETURNING} for node in view.nodes.values())
            or any(LABEL_LOAN in service.labels for service in view.work.services.values())
        )


async def _event_or_timeout(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
