"""Whether anybody of the swarm is there: what the dead-man switch goes by.

The clock is the machine's own since its boot, and what was heard is kept in /run: an agent that
is started again and again counts on, a machine that booted begins anew, and one that slept in
hibernation was not silent. Rule: only silence counts, never why; whatever fails is nobody.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from runtime import clock
from runtime.errors import ClusterError

_CONNECT_SECONDS: Final = 2.0
_BROKER_EVERY_SECONDS: Final = 20.0


class Contact:
    """Listens for the swarm's managers, then for the leader; one at each look."""

    def __init__(self, file: Path, is_leader_there: Callable[[], Awaitable[bool]]) -> None:
        self._file = file
        self._is_leader_there = is_leader_there
        self._turn = 0
        self._broker_asked = float("-inf")

    async def look(self, managers: Sequence[str]) -> tuple[timedelta, int]:
        """For how long nobody was heard, and at how many looks in a row; zeros if somebody is."""
        heard, missed = self._read()
        if await self._is_anybody_there(managers):
            self.heard()
            return timedelta(), 0
        self._write(heard, missed + 1)
        return timedelta(seconds=clock.monotonic() - heard), missed + 1

    def heard(self) -> None:
        """Note that somebody was heard just now."""
        self._write(clock.monotonic(), 0)

    async def _is_anybody_there(self, managers: Sequence[str]) -> bool:
        if managers:
            self._turn += 1
            if await _answers(managers[self._turn % len(managers)]):
                return True
        if clock.monotonic() - self._broker_asked < _BROKER_EVERY_SECONDS:
            return False
        self._broker_asked = clock.monotonic()
        try:
            return await self._is_leader_there()
        except ClusterError:
            return False

    def _read(self) -> tuple[float, int]:
        now = clock.monotonic()
        try:
            found = json.loads(self._file.read_text())
            heard, missed = float(found["heard"]), int(found["missed"])
        except (OSError, ValueError, KeyError, TypeError):
            return now, 0
        return (heard, missed) if heard <= now else (now, 0)

    def _write(self, heard: float, missed: int) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"heard": heard, "missed": missed}))
            fresh.replace(self._file)
        # A full /run must not end a member.
        except OSError:
            return


async def _answers(manager: str) -> bool:
    host, _, port = manager.rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    return True
