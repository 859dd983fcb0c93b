"""The agent daemon, which performs the actions that `decide` returns, one at a time.

The daemon also watches for notices from AWS. Rule: send READY to systemd before any slow work,
because the engine waits for this signal (`Before=docker.service`). Import heavy modules after
sending READY.
"""

import asyncio
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from agent.actions import Action, Pause
from agent.decide import decide
from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import Event, News, Paused
from agent.model import Policy, View
from agent.perform import Performer
from runtime import clock, systemd
from runtime.backoff import backoff
from runtime.errors import ClusterError, RefusedError
from runtime.faults import Faults
from runtime.streams import together
from wire import user_data as documents
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.user_data import UserData

log = structlog.get_logger("agent")

_READY_AT_LATEST_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Launch:
    """The instance's user data, and facts about the instance."""

    facts: InstanceFacts
    user_data: UserData


class Daemon:
    """The agent daemon; start it with `run`."""

    def __init__(self, metadata: Metadata, files: LocalFiles) -> None:
        self._metadata = metadata
        self._files = files
        self._status = ""
        self._faults = Faults()

    async def run(self) -> None:
        """Join the swarm and remain a member until cancelled."""
        await together(
            feed_the_watchdog=systemd.feed_watchdog(),
            start=self._start(),
        )

    async def _start(self) -> None:
        ready_timer = asyncio.get_running_loop().call_later(
            _READY_AT_LATEST_SECONDS, lambda: systemd.notify(READY="1")
        )
        launch = await self._prepare()
        ready_timer.cancel()
        systemd.notify(READY="1")
        # Import these heavy modules only now, while the engine starts.
        from agent.edges.engine import Engine  # noqa: PLC0415
        from agent.notice_watch import NoticeWatch  # noqa: PLC0415

        news: asyncio.Queue[News] = asyncio.Queue()
        async with Engine() as engine:
            perform = Performer(
                launch.user_data,
                launch.facts,
                engine=engine,
                metadata=self._metadata,
                files=self._files,
                news=news,
                faults=self._faults,
            )
            if launch.user_data.identity == "password":
                # Outside AWS there is no metadata service to watch.
                await self._be_a_member(launch, perform)
                return
            watch = NoticeWatch(
                launch.user_data,
                launch.facts,
                metadata=self._metadata,
                files=self._files,
                news=news,
                faults=self._faults,
            )
            await together(
                be_a_member=self._be_a_member(launch, perform),
                poll_for_notices=watch.poll(),
                report_notices=watch.report(),
            )

    async def _be_a_member(self, launch: Launch, perform: Performer) -> None:
        policy = Policy(
            role=launch.user_data.role,
            deadman=timedelta(seconds=launch.user_data.deadman_seconds),
        )
        view = View(departure=self._files.departure_reason())
        event: Event = Paused(clock.steady())
        while True:
            view, action = self._decided(view, event, policy)
            self._show_status(action.reason)
            event = await perform(action)

    def _decided(self, view: View, event: Event, policy: Policy) -> tuple[View, Action]:
        """Return the view and action after an event; if a fault prevents this, a pause."""
        with self._faults.contained("decisions"):
            return decide(view, event, policy)
        pause = policy.inspect_every
        return view, Pause(pause, pause, "the agent has a fault, which the journal describes")

    async def _prepare(self) -> Launch:
        """Read the user data and record this instance as the owner of the engine's state.

        Retry until both steps succeed.
        """
        delays = backoff(first=0.2, ceiling=15)
        while True:
            try:
                return await self._try_to_prepare()
            except (ClusterError, MalformedMessage) as exc:
                self._show_status(str(exc))
            except Exception as exc:  # noqa: BLE001  the fault is noted
                cause = self._faults.note("the preparation", exc)
                self._show_status(f"the agent has a fault: {cause}; the journal has its traceback")
            await asyncio.sleep(next(delays))

    async def _try_to_prepare(self) -> Launch:
        text = self._files.settings_text()
        if text is None:
            self._show_status("reading user data from the metadata service")
            text = await self._metadata.user_data()
        user_data = documents.parse(text)
        for name in documents.unknown(text):
            log.warning("ignored an unknown setting", setting=name)
        if user_data.identity == "password":
            facts = await asyncio.to_thread(_facts_outside_aws, user_data)
        else:
            facts = await self._metadata.facts()
        if self._files.claim(facts.instance):
            log.warning(
                "removed another instance's state",
                instance=facts.instance,
                reason="this disk was copied from another instance",
            )
        self._files.write_leader_files(facts, text if user_data.leader is not None else None)
        log.info(
            "prepared this instance",
            **facts.model_dump(),
            cluster=user_data.cluster,
            role=user_data.role.value,
        )
        return Launch(facts, user_data)

    def _show_status(self, status: str) -> None:
        """Report the status to systemd, and log it when it changes."""
        if status != self._status:
            self._status = status
            log.info("status changed", now=status)
        systemd.notify(STATUS=status)


def _facts_outside_aws(user_data: UserData) -> InstanceFacts:
    """Return facts about a machine outside AWS, such as its host name.

    The facts include the local address that the machine uses to reach the broker.
    """
    host = user_data.broker.removeprefix("rediss://").rpartition(":")[0]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # Connecting a datagram socket sends no packet; it only selects the local address.
            sock.connect((host, 9))
            address = str(sock.getsockname()[0])
    except OSError as exc:
        raise RefusedError(f"this machine has no route to the broker at {host}") from exc
    return InstanceFacts(
        instance=socket.gethostname().partition(".")[0],
        region="none",
        zone="none",
        type="none",
        lifecycle="on-demand",
        address=address,
    )
