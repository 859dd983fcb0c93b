"""Compare how quickly machines join a swarm using our agent, `docker swarm join` or Ansible.

The machines have already booted. The three methods alternate on the same machines, in a different
order in each round. Run `make bench-join` as root from the repository. For options, run
`python -m bench.join --help`.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Console

from bench import terminal
from bench.host import host
from bench.join import figures, methods, setup
from bench.join.figures import Round
from bench.join.methods import Way
from bench.join.setup import Setup
from bench.join.watch import FirstSeen, Watch
from bench.terminal import Report
from lab.host import LabError
from lab.machines.machine import Machine
from runtime import clock

_ROUND_SECONDS: Final = 90.0
"""The maximum duration of a round. The benchmark fails if a round takes longer."""
_WIDTH: Final = 100


def main() -> None:
    """Run the benchmark, print the figures, and take the lab down even after an error."""
    options = _arguments()
    # Take the lab down on SIGTERM, as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = list(zip(options.machines, options.rounds, strict=True))
    try:
        with (
            terminal.progress(3 * (1 + sum(options.rounds))) as (report, advance),
            setup.prepared(max(options.machines), report=report) as ready,
        ):
            begun = clock.now()
            before = host()
            rounds = asyncio.run(_measure(ready, plan, report, advance))
            versions = setup.versions(ready)
    except LabError as exc:
        terminal.fail(exc)
    _show(rounds, {"at": begun.isoformat(timespec="seconds"), "host": before, **versions})


async def _measure(
    ready: Setup,
    plan: Sequence[tuple[int, int]],
    report: Report,
    advance: Callable[[], None],
) -> list[Round]:
    ways: tuple[Way, ...] = (
        methods.Agent(),
        methods.Raw(ready.manager),
        methods.Ansible(ready),
    )
    samples: list[Round] = []
    async with Watch(ready.manager, ready.workers) as watch:
        await watch.clean()
        for way in ways:
            report(f"warming up: {way.name}")
            await _round(way, ready.workers, 0, watch)
            advance()
        for count, rounds in plan:
            for number in range(rounds):
                # Start with a different machine in each round.
                machines = [
                    ready.workers[(number + offset) % len(ready.workers)] for offset in range(count)
                ]
                turn = number % len(ways)
                for way in ways[turn:] + ways[:turn]:
                    report(f"{count} by {way.name}, round {number + 1} of {rounds}")
                    samples.append(await _round(way, machines, number + 1, watch))
                    advance()
    return samples


async def _round(way: Way, machines: list[Machine], number: int, watch: Watch) -> Round:
    token = await watch.token()
    first = FirstSeen()
    wall, began = clock.now().timestamp(), clock.monotonic()
    async with asyncio.timeout(_ROUND_SECONDS):
        await asyncio.gather(
            way.join(machines, token),
            watch.follow(machines, first, until_active=way.until_active, within=_ROUND_SECONDS),
        )
    reached: list[dict[str, float]] = []
    retries = 0
    if way.until_active:
        await asyncio.sleep(0.5)
        for machine in machines:
            stages, retry_count = methods.stages(machine, began=began, wall=wall)
            reached.append({**stages, "ready": first.ready[machine.hostname] - began})
            retries += retry_count
    await watch.clean()
    return Round(
        way=way.name,
        machines=len(machines),
        number=number,
        ready=[at - began for at in first.ready.values()],
        serving=[at - began for at in first.active.values()] if way.until_active else [],
        stages=reached,
        retries=retries,
        coarsest=first.coarsest,
    )


def _show(rounds: Sequence[Round], about: dict[str, object]) -> None:
    out = Console(width=_WIDTH)
    entries = figures.summary(rounds)
    names = {way.name: way.what for way in (methods.Agent, methods.Raw, methods.Ansible)}
    out.print(figures.table(entries, names))
    for entry in entries:
        if "stages" in entry:
            parts = ", ".join(f"{name} {took:.2f}" for name, took in entry["stages"].items())
            out.print(f"{entry['machines']} by {entry['way']}, seconds per stage: {parts}")
    samples = [sample.json() for sample in rounds]
    print(json.dumps({"bench": "join", **about, "medians": entries, "rounds": samples}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.join", description=__doc__)
    parser.add_argument(
        "--machines", type=_numbers, default=[1, 8], help="machines that join together; default 1,8"
    )
    parser.add_argument(
        "--rounds", type=_numbers, default=[7, 5], help="rounds per number of machines; default 7,5"
    )
    options = parser.parse_args()
    if len(options.machines) != len(options.rounds):
        parser.error("--machines and --rounds must have the same number of values")
    return options


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text}: each number must be 1 or more")
    return numbers


if __name__ == "__main__":
    main()
