"""Let many agents ask for a token at once, and flood the broker while one joins and one leaves.

Redis, TLS, proofs and the leader are real; the leader runs as a process of its own. Only the engine
is a stand-in, and AWS is a local server that checks every signature. The baseline, measured in the
same run, is the floor: the same round trips without checks. Run `make bench-storm`.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console

from agent.edges import broker
from agent.events import Granted
from agent.join_request import request_token
from agent.model import AwsNotice, StandingNotice
from agent.reports import report_notice
from agent.signing import Credentials
from bench import terminal
from bench.host import commit, host
from bench.storm import figures, people, stage
from bench.storm.figures import BASELINE, Flood, Storm
from bench.storm.stage import Program, Stage
from bench.terminal import Report
from lab.host import LabError
from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError
from runtime.streams import cancel_all
from wire.instance import InstanceFacts
from wire.messages import Role

_WITHIN_SECONDS: Final = 90.0
"""How long agents keep asking."""
_CROWDS: Final = 2
_HONEST_FIRST: Final = 800_001
_FLOODED_BEFORE_SECONDS: Final = 3.0
_JOIN_WITHIN_SECONDS: Final = 60.0
_NOTICE_WITHIN_SECONDS: Final = 30.0
_WIDTH: Final = 100
_OURS: Final = "ours"


def main() -> None:
    """Run the benchmark and print the figures; end all programs even after an error."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before = host()
    begun = clock.now().isoformat(timespec="seconds")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sss-") as place,
            terminal.progress(2 * len(options.agents) + 1) as (report, advance),
        ):
            storms, flood = asyncio.run(_measure(Path(place), options, report, advance))
    except LabError as exc:
        terminal.fail(exc)
    entries = figures.compared(storms)
    out = Console(width=_WIDTH)
    out.print(figures.storm_table(entries))
    out.print(figures.flood_table(flood))
    for entry in entries:
        if entry["problems"]:
            out.print(f"{entry['agents']:,} by {entry['way']}, not served: {entry['problems']}")
    about = {"bench": "storm", "at": begun, "commit": commit(), "host": before}
    print(json.dumps({**about, "storms": entries, "flood": flood.figures()}))


async def _measure(
    place: Path, options: argparse.Namespace, report: Report, advance: Callable[[], None]
) -> tuple[list[Storm], Flood]:
    ready = stage.set_up(place)
    storms: list[Storm] = []
    async with ready.outside() as outside:
        first = 1
        for agents in options.agents:
            for way in (BASELINE, _OURS):
                report(f"{agents:,} agents, {way}")
                storms.append(await _storm(ready, way, first=first, agents=agents))
                first += agents
                advance()
        report(f"a flood of {options.junk:,} messages a second")
        flood = await _flood(ready, outside, rate=options.junk, rounds=options.rounds)
        advance()
    return storms, flood


async def _storm(ready: Stage, way: str, *, first: int, agents: int) -> Storm:
    is_floor = way == BASELINE
    sizes = [len(range(start, agents, _CROWDS)) for start in range(min(_CROWDS, agents))]
    starts = [first + sum(sizes[:index]) for index in range(len(sizes))]
    async with ready.leading(is_floor=is_floor) as leader:
        crowds = stage.all_of(
            *(
                ready.crowd(start, size, within=_WITHIN_SECONDS, is_floor=is_floor)
                for start, size in zip(starts, sizes, strict=True)
            )
        )
        async with crowds as programs:
            await leader.watched(_prepared(programs, within=60 + agents / 50))
            cpu = leader.cpu_seconds()
            for program in programs:
                await stage.tell(program)
            outcomes = await leader.watched(_outcomes(programs))
        return Storm(
            way=way,
            agents=agents,
            seconds=tuple(sorted(seconds for seconds, _, _ in outcomes if seconds is not None)),
            attempts=sum(attempts for _, attempts, _ in outcomes),
            problems=dict(Counter(problem for seconds, _, problem in outcomes if seconds is None)),
            leader_cpu_seconds=leader.cpu_seconds() - cpu,
            leader_rss_mb=leader.most_memory_mb(),
        )


async def _prepared(programs: Sequence[Program], within: float) -> None:
    for program in programs:
        seen = program.first(lambda event: event.get("event") == "prepared", within)
        if await program.watched(seen) is None:
            raise LabError(f"{program.name} did not prepare in time; {program.last_words()}")


async def _outcomes(programs: Sequence[Program]) -> list[tuple[float | None, int, str]]:
    async with asyncio.timeout(_WITHIN_SECONDS + 60):
        lines = await asyncio.gather(*(stage.last_line(program) for program in programs))
    return [tuple(row) for line in lines for row in line["outcomes"]]


async def _flood(ready: Stage, outside: Program, *, rate: int, rounds: int) -> Flood:
    async with ready.leading() as leader, ready.junk(rate) as junk:
        await leader.watched(_prepared([junk], within=60))
        cpu, started = leader.cpu_seconds(), clock.monotonic()
        await asyncio.sleep(_FLOODED_BEFORE_SECONDS)
        joins, notices = [], []
        for index in range(rounds):
            joins.append(await leader.watched(_join(ready, _HONEST_FIRST + index)))
            member = people.MEMBERS[index % len(people.MEMBERS)]
            notices.append(await leader.watched(_notice(ready, outside, member)))
        share = (leader.cpu_seconds() - cpu) / (clock.monotonic() - started)
        memory = leader.most_memory_mb()
        await stage.tell(junk)
        async with asyncio.timeout(60):
            sent = await leader.watched(stage.last_line(junk))
        return Flood(
            junk_per_second=round(sent["sent"] / sent["seconds"], 1),
            joins=tuple(joins),
            notices=tuple(notices),
            is_shown=any(event.get("event") == "flooded" for event in leader.events),
            leader_cpu_share=round(share, 3),
            leader_rss_mb=round(memory, 1),
        )


async def _join(ready: Stage, number: int) -> float | None:
    """Ask as a real agent does, again and again; return the seconds until the grant."""

    async def credentials() -> Credentials:
        return people.credentials_of(number)

    started, delays = clock.monotonic(), backoff(first=1.0)
    while clock.monotonic() - started < _JOIN_WITHIN_SECONDS:
        event = await request_token(
            ready.shared,
            _facts(number),
            role=Role.WORKER,
            offset=timedelta(),
            credentials=credentials,
            send=broker.ask,
        )
        if isinstance(event, Granted):
            return round(clock.monotonic() - started, 3)
        await asyncio.sleep(next(delays))
    return None


async def _notice(ready: Stage, outside: Program, number: int) -> float | None:
    """Report an interruption as a real agent does; return the seconds until the node is paused."""
    facts = _facts(number)
    standing = StandingNotice(AwsNotice("interruption", None, "terminate"), clock.now())

    async def report() -> None:
        while True:
            try:
                await report_notice(
                    ready.shared,
                    facts,
                    standing,
                    key=ready.keys[facts.instance],
                    send=broker.report,
                )
            except ClusterError:
                await asyncio.sleep(0.5)

    started = clock.monotonic()
    reporting = asyncio.create_task(report())
    try:
        paused_at = await outside.first(
            lambda event: event.get("node") == f"n{number}", _NOTICE_WITHIN_SECONDS
        )
    finally:
        await cancel_all((reporting,))
    return None if paused_at is None else round(paused_at - started, 3)


def _facts(number: int) -> InstanceFacts:
    return InstanceFacts(
        instance=people.instance_of(number),
        region=people.REGION,
        zone=f"{people.REGION}a",
        type="t3.small",
        lifecycle="spot",
        address=people.address_of(number),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument(
        "--agents",
        type=int,
        nargs="+",
        default=[100, 1000, 5000],
        help="numbers of agents that ask at once; default 100 1000 5000",
    )
    parser.add_argument(
        "--junk", type=int, default=10_000, help="junk messages per second; default 10000"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=len(people.MEMBERS),
        choices=range(1, len(people.MEMBERS) + 1),
        help="honest joins and notices during the flood; default 5",
    )
    options = parser.parse_args()
    if min(options.agents) < 1 or options.junk < 1:
        parser.error("--agents and --junk must be at least 1")
    return options


if __name__ == "__main__":
    main()
