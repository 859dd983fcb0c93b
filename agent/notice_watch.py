"""Polls the metadata service for notices from AWS, and reports the current notices to the leader.

The watch runs in parallel with the membership loop, which receives changes as `News` events. Rule:
continue to poll and report even if the metadata service, the broker or the leader is unavailable.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import structlog

from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import News, OrderedToLeave
from agent.model import StandingNotice
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE, NoticeBoard, read, update
from agent.reports import report_notice
from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError
from runtime.faults import Faults
from runtime.streams import together
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.user_data import UserData

log = structlog.get_logger("agent")

_POLL_SECONDS: Final = 2.0
_MAINTENANCE_POLL_SECONDS: Final = 30.0
_REPORT_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 3.0


class NoticeWatch:
    """Watches for notices about this instance. `poll` and `report` both run until cancelled."""

    def __init__(
        self,
        user_data: UserData,
        facts: InstanceFacts,
        *,
        metadata: Metadata,
        files: LocalFiles,
        news: "asyncio.Queue[News]",
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._user_data = user_data
        self._facts = facts
        self._metadata = metadata
        self._files = files
        self._news = news
        self._board = NoticeBoard()
        self._changed = asyncio.Event()
        self._unreadable: set[str] = set()
        self._is_metadata_away = False
        self._problem = ""

    async def poll(self) -> None:
        """Poll the metadata service until cancelled."""
        paths = (INTERRUPTION, REBALANCE) if self._facts.lifecycle == "spot" else ()
        maintenance_at = clock.monotonic()
        while True:
            with self._faults.contained("the metadata service's notices"):
                if clock.monotonic() >= maintenance_at:
                    maintenance_at = clock.monotonic() + _MAINTENANCE_POLL_SECONDS
                    await self._read_paths((*paths, MAINTENANCE))
                elif paths:
                    await self._read_paths(paths)
            await asyncio.sleep(_POLL_SECONDS)

    async def _read_paths(self, paths: Sequence[str]) -> None:
        answers = await self._metadata.notices(paths)
        if self._is_metadata_away != (not answers):
            self._is_metadata_away = not answers
            log.warning(
                "the metadata service is not responding"
                if self._is_metadata_away
                else "the metadata service is responding again"
            )
        for path, text in answers.items():
            with self._faults.contained("the metadata service's notices"):
                self._read_answer(path, text)

    def _read_answer(self, path: str, text: str | None) -> None:
        try:
            notices = read(path, text)
        except MalformedMessage as exc:
            if path not in self._unreadable:
                self._unreadable.add(path)
                log.warning("could not parse a notice", reason=str(exc))
            return
        self._unreadable.discard(path)
        dated = tuple(replace(notice, step=clock.step()) for notice in notices)
        self._board, change = update(self._board, path, dated, clock.steady())
        if change is not None:
            self._news.put_nowait(change)
            self._changed.set()
            standing = [str(standing.notice) for standing in self._board.standing]
            log.info("notices changed", standing=standing)

    async def report(self) -> None:
        """Report the current notices until cancelled, starting over whenever they change."""
        while True:
            self._changed.clear()
            with self._faults.contained("reports"):
                await together(
                    report_to_the_leader=self._report_all(self._board.to_report),
                    await_a_change=self._changed.wait(),
                )
                continue
            await asyncio.sleep(_LONGEST_PAUSE_SECONDS)

    async def _report_all(self, notices: Sequence[StandingNotice]) -> None:
        """Report `notices` until the leader orders us to leave, then wait until they change."""
        is_urgent = any(standing.notice.kind == "interruption" for standing in notices)
        is_ordered = False
        delays = _delays()
        while notices and not is_ordered and not self._files.departure_reason():
            started = clock.monotonic()
            for standing in notices:
                is_ordered = is_ordered or await self._report_once(standing)
            if not self._problem:
                delays = _delays()
            pause = next(delays) if self._problem else 0
            if not is_urgent:
                pause = max(pause, started + _REPORT_SECONDS - clock.monotonic())
            await asyncio.sleep(pause)
        await self._changed.wait()

    async def _report_once(self, standing: StandingNotice) -> bool:
        """Report a notice once, and return whether the leader has ordered us to leave."""
        from agent.edges import broker  # noqa: PLC0415  heavy, so imported when needed

        key = self._files.join_key()
        if key is None:
            self._note_problem(
                "this engine joined without a request from this agent, so there is no join key"
            )
            return False
        try:
            reason = await report_notice(
                self._user_data, self._facts, standing, key=key, send=broker.report
            )
        except broker.NoReplyError as exc:
            log.debug("the leader has not sent an order yet", reason=str(exc))
            self._note_problem("")
            return False
        except ClusterError as exc:
            self._note_problem(str(exc))
            return False
        except Exception as exc:  # noqa: BLE001  the fault is noted, and the report is repeated
            cause = self._faults.note("the leader's replies", exc)
            self._note_problem(f"the agent has a fault: {cause}")
            return False
        self._note_problem("")
        log.warning("the leader ordered us to leave", reason=reason)
        self._news.put_nowait(OrderedToLeave(clock.steady(), reason))
        return True

    def _note_problem(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("could not report a notice", reason=problem)
        self._problem = problem


def _delays() -> Iterator[float]:
    return backoff(ceiling=_LONGEST_PAUSE_SECONDS)
