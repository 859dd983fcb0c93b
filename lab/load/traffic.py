"""Steady web traffic, and the fate of every single request.

Rule: the load is open-loop: a request is sent when it is due, whatever became of the others, and
every one of them is counted, time-outs and those in flight at the end included. It runs in a
process of its own, so that whatever a test does delays no request; how late the process itself
was is part of the report, for a late client measures itself.

`python -m lab.load.traffic --address A --rate 20 --seconds 30 HOST...` prints a report.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import IO, Final, Self

import aiohttp

from lab.cluster import REPOSITORY
from lab.host import prefer_this_process
from lab.load.fates import Fate, Report
from runtime import clock

LONGEST_SECONDS: Final = 900.0
"""Traffic nobody stopped ends by itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    addresses: Sequence[str]
    """Ingresses, asked in turn."""
    hosts: Sequence[str]
    """Services, by the name in the request."""
    rate: float = 20.0
    """Requests a second for each host."""
    timeout_seconds: float = 10.0
    keeps_alive: bool = False
    """Keep connections to the ingress. Not by default: aiohttp asks again by itself when a kept
    connection turns out to be closed, and what it hides cannot be counted."""
    path: str = "/"
    seconds: float = LONGEST_SECONDS


class Traffic:
    """Traffic that flows; end it with `stop`, or use it as a context manager."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._report: Report | None = None

    def stop(self) -> Report:
        """Send no more, wait for what is in flight, and say what became of all."""
        if self._report is None and self._process.stdin is not None:
            self._process.stdin.close()
        return self.finished()

    def finished(self) -> Report:
        """Wait until the plan's time is over, and say what became of all.

        Raises:
            RuntimeError: the process broke; it said why on stderr.
        """
        if self._report is None:
            with self._process as process:
                output = process.stdout.read() if process.stdout else ""
            if process.returncode != 0:
                raise RuntimeError(f"the traffic ended with {process.returncode}")
            self._report = Report.parse(output)
        return self._report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(plan: Plan) -> Traffic:
    """Let traffic flow from now on; returns when the first request is about to be sent."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.load.traffic", "--plan", json.dumps(asdict(plan))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    if process.stdout is None or process.stdout.readline() != "flowing\n":
        process.kill()
        raise RuntimeError(f"the traffic did not start ({process.wait()})")
    return Traffic(process)


async def flow(plan: Plan, until: asyncio.Event, *, fates: list[Fate] | None = None) -> Report:
    """Send until told to stop or the plan's time is over; returns when all have their fate.

    Whoever wants to look on gives a list for the `fates`, which grows as they come.
    """
    fates = [] if fates is None else fates
    connector = aiohttp.TCPConnector(limit=0, force_close=not plan.keeps_alive)
    timeout = aiohttp.ClientTimeout(total=plan.timeout_seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        in_flight: set[asyncio.Task[None]] = set()
        began = clock.monotonic()
        number = 0
        while not until.is_set():
            due = began + number / (plan.rate * len(plan.hosts))
            if due - began > plan.seconds:
                break
            if (pause := due - clock.monotonic()) > 0:
                await asyncio.sleep(pause)
            host = plan.hosts[number % len(plan.hosts)]
            address = plan.addresses[number // len(plan.hosts) % len(plan.addresses)]
            url = f"http://{address}{plan.path}"
            task = asyncio.create_task(_send(session, url, host, due, fates), name="a request")
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
            number += 1
        ended = clock.monotonic()
        if in_flight:
            await asyncio.wait(in_flight)
    return Report(tuple(sorted(fates, key=lambda fate: fate.due)), began, ended)


async def _send(
    session: aiohttp.ClientSession, url: str, host: str, due: float, fates: list[Fate]
) -> None:
    sent = clock.monotonic()
    task = ""
    try:
        async with session.get(url, headers={"Host": host}, allow_redirects=False) as answer:
            body = await answer.text()
            outcome = "ok" if answer.status == 200 else str(answer.status)
            task = body.split(maxsplit=1)[0] if outcome == "ok" and body else ""
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        outcome = kind_of(exc)
    fates.append(Fate(host, due, sent - due, clock.monotonic() - sent, outcome, task))


def kind_of(error: BaseException) -> str:
    """What happened, in the words of the report."""
    match error:
        case TimeoutError():
            return "timed out"
        case aiohttp.ClientConnectorError():
            return "not connected"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "cut"
        case ConnectionResetError():
            return "reset"
        case _:
            return type(error).__name__


async def _live(plan: Plan, parent: IO[str] | None) -> Report:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    if parent is not None:
        # Whoever started us holds the other end: it closes when they say so, or are no more.
        loop.add_reader(parent.fileno(), until.set)
        # A client that waits for a processor measures itself.
        prefer_this_process()
        print("flowing", flush=True)
    try:
        return await flow(plan, until)
    finally:
        if parent is not None:
            loop.remove_reader(parent.fileno())


def main() -> None:
    """As a child: a plan, and a report as JSON at the end. For a person: options, and a table."""
    parser = argparse.ArgumentParser(prog="python -m lab.load.traffic", description=__doc__)
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    parser.add_argument("--address", action="append", help="an ingress; may be given again")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second for each host")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keep-alive", action="store_true")
    parser.add_argument("hosts", nargs="*", metavar="HOST")
    told = parser.parse_args()
    if told.plan:
        print(asyncio.run(_live(Plan(**json.loads(told.plan)), sys.stdin)).dump())
        return
    if not (told.address and told.hosts):
        parser.error("an --address and a HOST are needed")
    plan = Plan(
        told.address,
        told.hosts,
        rate=told.rate,
        seconds=min(told.seconds, LONGEST_SECONDS),
        keeps_alive=told.keep_alive,
    )
    print(asyncio.run(_live(plan, None)))


if __name__ == "__main__":
    main()
