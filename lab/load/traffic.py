"""Sends web requests at a steady rate, and records the result of each request.

Rule: the load is open-loop. Each request is sent when it is due, even if earlier requests have not
been answered. Every request counts, even if it times out or is still in flight when the traffic
ends. A separate process sends the requests, so that a test cannot delay them. The report shows how
late the client sent its requests, because latencies mean little if the client was late.

`python -m lab.load.traffic --address A --rate 20 --seconds 30 HOST...` prints a report.
"""

import argparse
import asyncio
import errno
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
"""Traffic ends after this time, even if `stop` is not called."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests to send, and their rate."""

    addresses: Sequence[str]
    """Addresses of the ingress, used in turn."""
    hosts: Sequence[str]
    """Host names of the services, used in turn."""
    rate: float = 20.0
    """Requests per second for each host name."""
    timeout_seconds: float = 10.0
    keeps_alive: bool = False
    """Whether to reuse connections to the ingress. Off by default, because aiohttp itself repeats a
    request if a connection turns out to be closed, and the report could not count such failures."""
    path: str = "/"
    seconds: float = LONGEST_SECONDS


class Traffic:
    """A process that is sending requests; end it with `stop`, or use it as a context manager."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._report: Report | None = None

    def stop(self) -> Report:
        """Stop sending requests, wait for those in flight, and return the report."""
        if self._report is None and self._process.stdin is not None:
            self._process.stdin.close()
        return self.finished()

    def finished(self) -> Report:
        """Wait until all planned requests have ended, and return the report.

        Raises:
            RuntimeError: if the process failed; the reason is in its stderr output.
        """
        if self._report is None:
            with self._process as process:
                output = process.stdout.read() if process.stdout else ""
            if process.returncode != 0:
                raise RuntimeError(f"the traffic process failed with status {process.returncode}")
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
    """Start a process that sends the planned requests; return just before it sends the first."""
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
        raise RuntimeError(f"the traffic process did not start (status {process.wait()})")
    return Traffic(process)


async def flow(plan: Plan, until: asyncio.Event, *, fates: list[Fate] | None = None) -> Report:
    """Send requests until `until` is set or the planned duration has passed; return a report.

    Before returning, wait for the requests in flight. When a request ends, its result is added to
    `fates`, so that the caller can follow progress.
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
    """Return the name that reports use for this error."""
    match error:
        case TimeoutError():
            return "timed out"
        case aiohttp.ClientConnectorError():
            return "not connected"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "cut"
        case ConnectionResetError() | OSError(errno=errno.ECONNRESET | errno.EPIPE):
            # aiohttp wraps a reset in the middle of a response in a ClientOSError.
            return "reset"
        case _:
            return type(error).__name__


async def _live(plan: Plan, parent: IO[str] | None) -> Report:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    if parent is not None:
        # The parent closes its end of the pipe to stop the traffic, or when it exits.
        loop.add_reader(parent.fileno(), until.set)
        # A client that waits for CPU time would measure its own delay.
        prefer_this_process()
        print("flowing", flush=True)
    try:
        return await flow(plan, until)
    finally:
        if parent is not None:
            loop.remove_reader(parent.fileno())


def main() -> None:
    """Send requests, and print a report: JSON for a parent process, or a summary for a user."""
    parser = argparse.ArgumentParser(prog="python -m lab.load.traffic", description=__doc__)
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    parser.add_argument("--address", action="append", help="an ingress; can be repeated")
    parser.add_argument(
        "--rate", type=float, default=20.0, help="requests per second for each host"
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keep-alive", action="store_true")
    parser.add_argument("hosts", nargs="*", metavar="HOST")
    arguments = parser.parse_args()
    if arguments.plan:
        print(asyncio.run(_live(Plan(**json.loads(arguments.plan)), sys.stdin)).dump())
        return
    if not (arguments.address and arguments.hosts):
        parser.error("at least one --address and one HOST are required")
    plan = Plan(
        arguments.address,
        arguments.hosts,
        rate=arguments.rate,
        seconds=min(arguments.seconds, LONGEST_SECONDS),
        keeps_alive=arguments.keep_alive,
    )
    print(asyncio.run(_live(plan, None)))


if __name__ == "__main__":
    main()
