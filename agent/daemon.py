"""The agent daemon: finds out who it is, then does what `decide` says, one thing at a time,
and beside that watches for what AWS announces.

The only module that knows everybody. Rule: READY comes before anything slow, for the engine
waits for it (`Before=docker.service`); what is heavy to import is imported after.
"""

import asyncio
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from agent.decide import decide
from agent.edges.belongings import Belongings
from agent.edges.metadata import Metadata
from agent.events import Event, News, Paused
from agent.model import Policy, View
from agent.perform import Performer
from runtime import clock, systemd
from runtime.backoff import backoff
from runtime.errors import ClusterError, RefusedError
from runtime.streams import together
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.user_data import UserData

log = structlog.get_logger("agent")

_READY_AT_LATEST_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """Who we are and what we were told."""

    facts: InstanceFacts
    data: UserData


class Daemon:
    """One agent daemon; `run` lives until cancelled."""

    def __init__(self, metadata: Metadata, belongings: Belongings) -> None:
        self._metadata = metadata
        self._belongings = belongings
        self._status = ""

    async def run(self) -> None:
        """Become a member and stay one, for ever."""
        await together(
            feed_the_watchdog=systemd.feed_watchdog(),
            belong=self._belong(),
        )

    async def _belong(self) -> None:
        late = asyncio.get_running_loop().call_later(
            _READY_AT_LATEST_SECONDS, lambda: systemd.notify(READY="1")
        )
        told = await self._settle()
        late.cancel()
        systemd.notify(READY="1")
        # Heavy, and needed only now: the engine starts meanwhile.
        from agent.edges.engine import Engine  # noqa: PLC0415
        from agent.watching import Watch  # noqa: PLC0415

        news: asyncio.Queue[News] = asyncio.Queue()
        async with Engine() as engine:
            perform = Performer(
                told.data,
                told.facts,
                engine=engine,
                metadata=self._metadata,
                belongings=self._belongings,
                news=news,
            )
            if told.data.identity == "password":
                # There is no metadata service to watch.
                await self._be_a_member(told, perform)
                return
            watch = Watch(
                told.data,
                told.facts,
                metadata=self._metadata,
                belongings=self._belongings,
                news=news,
            )
            await together(
                be_a_member=self._be_a_member(told, perform),
                look_for_announcements=watch.look(),
                tell_the_leader=watch.tell(),
            )

    async def _be_a_member(self, told: Told, perform: Performer) -> None:
        policy = Policy(role=told.data.role, deadman=timedelta(seconds=told.data.deadman_seconds))
        view = View(out=self._belongings.why_left())
        heard: Event = Paused(clock.now())
        while True:
            view, action = decide(view, heard, policy)
            self._say(action.reason)
            heard = await perform(action)

    async def _settle(self) -> Told:
        """Learn who we are and claim the engine's state; tried until it works."""
        delays = backoff(first=0.2, ceiling=15)
        while True:
            try:
                return await self._learn()
            except (ClusterError, MalformedMessage) as exc:
                self._say(str(exc))
                await asyncio.sleep(next(delays))

    async def _learn(self) -> Told:
        text = self._belongings.settings_text()
        if text is None:
            self._say("asking the metadata service who we are")
            text = await self._metadata.user_data()
        data = user_data.parse(text)
        for name in user_data.unknown(text):
            log.warning("setting not known to this version", setting=name)
        if data.identity == "password":
            facts = await asyncio.to_thread(_facts_outside_aws, data)
        else:
            facts = await self._metadata.facts()
        if self._belongings.claim(facts.instance):
            log.warning(
                "state of another instance removed",
                instance=facts.instance,
                reason="this disk was copied from a running instance",
            )
        self._belongings.hand_over(facts, text if data.leader is not None else None)
        log.info("settled", **facts.model_dump(), cluster=data.cluster, role=data.role.value)
        return Told(facts, data)

    def _say(self, status: str) -> None:
        """Tell systemd's status line, and the journal when it changes."""
        if status != self._status:
            self._status = status
            log.info("status", now=status)
        systemd.notify(STATUS=status)


def _facts_outside_aws(data: UserData) -> InstanceFacts:
    """Who a machine without metadata is: its host name and its address on the broker's side."""
    host = data.broker.removeprefix("rediss://").rpartition(":")[0]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # Connecting a datagram socket sends nothing; it picks the address of the route.
            sock.connect((host, 9))
            address = str(sock.getsockname()[0])
    except OSError as exc:
        raise RefusedError(f"there is no route to the broker at {host}") from exc
    return InstanceFacts(
        instance=socket.gethostname().partition(".")[0],
        region="none",
        zone="none",
        type="none",
        lifecycle="on-demand",
        address=address,
    )
