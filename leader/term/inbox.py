"""The queue of events that are waiting for a decision.

Rule: the queue has a maximum length, so producers wait when decisions fall behind.
"""

import asyncio
import itertools
from typing import Final

from leader.view.events import Event

_MOST_EVENTS: Final = 1000


class Inbox:
    """Queues events and generates ids for events and actions."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue(_MOST_EVENTS)
        self._numbers = itertools.count(1)

    async def put(self, event: Event) -> None:
        """Add an event, waiting while the inbox is full."""
        await self._events.put(event)

    async def next(self) -> Event:
        """Remove and return the oldest event, waiting while the inbox is empty."""
        return await self._events.get()

    def __len__(self) -> int:
        return self._events.qsize()

    def new_id(self, kind: str) -> str:
        """Return an id for a new event or action."""
        return f"{kind}-{next(self._numbers)}"
