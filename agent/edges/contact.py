"""Checks whether a manager or the leader is reachable, for the dead-man switch.

The time of the last contact comes from the machine's monotonic clock and is stored in /run.
Therefore, restarting the agent does not reset the time without contact, but rebooting does. Time in
hibernation is not counted. Rule: treat every failure as a missing response, whatever its cause.
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
    """Tries to reach a manager, and then the leader if the manager does not respond."""

    def __init__(self, file: Path, is_leader_there: Callable[[], Awaitable[bool]]) -> None:
        self._file = file
        self._is_leader_there = is_leader_there
        self._turn = 0
        self._broker_checked_at = float("-inf")

    async def check(self, managers: Sequence[str]) -> tuple[timedelta, int]:
        """Return the time since the last contact, and the number of consecutive failed checks.

        Both values are zero if a manager or the leader responds.
        """
        last_contact, missed = self._read()
        if await self._is_reachable(managers):
            self.record()
            return timedelta(), 0
        self._write(last_contact, missed + 1)
        return timedelta(seconds=clock.monotonic() - last_contact), missed + 1

    def record(self) -> None:
        """Record that a manager or the leader has just responded."""
        self._write(clock.monotonic(), 0)

    async def _is_reachable(self, managers: Sequence[str]) -> bool:
        if managers:
            self._turn += 1
            if await _answers(managers[self._turn % len(managers)]):
                return True
        if clock.monotonic() - self._broker_checked_at < _BROKER_EVERY_SECONDS:
            return False
        self._broker_checked_at = clock.monotonic()
        try:
            return await self._is_leader_there()
        except (ClusterError, ValueError):
            return False

    def _read(self) -> tuple[float, int]:
        now = clock.monotonic()
        try:
            record = json.loads(self._file.read_text())
            last_contact, missed = float(record["heard"]), int(record["missed"])
        except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return now, 0
        return (last_contact, missed) if last_contact <= now else (now, 0)

    def _write(self, last_contact: float, missed: int) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"heard": last_contact, "missed": missed}))
            fresh.replace(self._file)
        # A full /run must not stop the agent.
        except OSError:
            return


async def _answers(manager: str) -> bool:
    host, _, port = manager.rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    # The address comes from the engine: a port that is too high raises OverflowError.
    except (OSError, TimeoutError, ValueError, OverflowError):
        return False
    writer.close()
    return True
