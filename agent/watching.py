"""Watching for what AWS announces, and telling the leader while it stands.

Beside the membership loop, which hears of it as news. Rule: a metadata service, broker or
leader that is away ends nothing here; the membership loop needs none of them to leave in time.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from agent.edges.belongings import Belongings
from agent.edges.metadata import Metadata
from agent.events import News, ToldToLeave
from agent.model import Standing
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE, Board, heard, read
from agent.telling import tell
from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError
from runtime.streams import together
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.user_data import UserData

log = structlog.get_logger("agent")

_LOOK_EVERY_SECONDS: Final = 2.0
_MAINTENANCE_EVERY_SECONDS: Final = 30.0
_TELL_EVERY_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 3.0


class Watch:
    """One instance's watch; `look` and `tell` live until cancelled."""

    def __init__(
        self,
        told: UserData,
        facts: InstanceFacts,
        *,
        metadata: Metadata,
        belongings: Belongings,
        news: "asyncio.Queue[News]",
    ) -> None:
        self._told = told
        self._facts = facts
        self._metadata = metadata
        self._belongings = belongings
        self._news = news
        self._board = Board()
        self._changed = asyncio.Event()
        self._unreadable: set[str] = set()
        self._is_away = False
        self._problem = ""

    async def look(self) -> None:
        """Look at the metadata service for ever."""
        paths = (INTERRUPTION, REBALANCE) if self._facts.lifecycle == "spot" else ()
        maintenance_at = clock.monotonic()
        while True:
            if clock.monotonic() >= maintenance_at:
                maintenance_at = clock.monotonic() + _MAINTENANCE_EVERY_SECONDS
                await self._look_at((*paths, MAINTENANCE))
            elif paths:
                await self._look_at(paths)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _look_at(self, paths: Sequence[str]) -> None:
        answers = await self._metadata.announced(paths)
        if self._is_away != (not answers):
            self._is_away = not answers
            log.warning("metadata service away" if self._is_away else "metadata service back")
        for path, text in answers.items():
            try:
                found = read(path, text)
            except MalformedMessage as exc:
                if path not in self._unreadable:
                    self._unreadable.add(path)
                    log.warning("announcement not understood", reason=str(exc))
                continue
            self._unreadable.discard(path)
            self._board, change = heard(self._board, path, found, clock.now())
            if change is not None:
                standing = [str(one.announcement) for one in self._board.standing]
                log.info("announcements", standing=standing)
                self._news.put_nowait(change)
                self._changed.set()

    async def tell(self) -> None:
        """Tell the leader whatever stands, for ever; begin anew whenever that changes."""
        while True:
            self._changed.clear()
            await together(
                tell_the_leader=self._tell_all(self._board.to_tell),
                await_a_change=self._changed.wait(),
            )

    async def _tell_all(self, notices: Sequence[Standing]) -> None:
        """Tell these until the leader orders to leave; then there is nothing to tell."""
        is_urgent = any(one.announcement.notice == "interruption" for one in notices)
        is_ordered = False
        delays = _delays()
        while notices and not is_ordered and not self._belongings.why_left():
            began = clock.monotonic()
            for notice in notices:
                is_ordered = is_ordered or await self._tell_one(notice)
            if not self._problem:
                delays = _delays()
            pause = next(delays) if self._problem else 0
            if not is_urgent:
                pause = max(pause, began + _TELL_EVERY_SECONDS - clock.monotonic())
            await asyncio.sleep(pause)
        await self._changed.wait()

    async def _tell_one(self, notice: Standing) -> bool:
        """Tell one notice once; whether the leader orders to leave."""
        from agent.edges import broker  # noqa: PLC0415  heavy, see the module

        key = self._belongings.join_key()
        if key is None:
            self._say("this engine did not join by an ask, so the leader would not believe us")
            return False
        try:
            reason = await tell(self._told, self._facts, notice, key=key, send=broker.ask)
        except broker.NoReplyError as exc:
            log.debug("no order yet", reason=str(exc))
            self._say("")
            return False
        except ClusterError as exc:
            self._say(str(exc))
            return False
        self._say("")
        log.warning("told to leave", reason=reason)
        self._news.put_nowait(ToldToLeave(clock.now(), reason))
        return True

    def _say(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("notice not told", reason=problem)
        self._problem = problem


def _delays() -> Iterator[float]:
    return backoff(ceiling=_LONGEST_PAUSE_SECONDS)
