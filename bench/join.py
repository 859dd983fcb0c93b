"""How long until a booted machine is a node: our agent, `docker swarm join`, Ansible.

The three take turns on the same machines, in another order each round. Run it as root from the
repository: `make bench-join`, or `python -m bench.join --help`.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import figures, ground, ways
from bench.figures import Round
from bench.ground import Ground
from bench.watch import Seen, Watch
from bench.ways import Way
from lab.host import LabError
from lab.machines.machine import Machine
from runtime import clock

_WITHIN: Final = 90.0
"""Seconds a round may take before the bench gives up."""
_WIDTH: Final = 100


def main() -> None:
    """Measure, print, and leave nothing behind."""
    asked = _arguments()
    # As Ctrl-C: the lab is taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    plan = list(zip(asked.machines, asked.rounds, strict=True))
    try:
        with progress:
            task = progress.add_task("set-up", total=3 * (1 + sum(asked.rounds)))
            with ground.prepared(
                max(asked.machines), report=lambda said: progress.update(task, description=said)
            ) as made:
                begun = clock.now()
                before = figures.host()
                rounds = asyncio.run(_measure(made, plan, progress))
                versions = ground.versions(made)
    except LabError as exc:
        Console(stderr=True).print(str(exc), style="red", markup=False, highlight=False)
        sys.exit(1)
    _show(rounds, {"at": begun.isoformat(timespec="seconds"), "host": before, **versions})


async def _measure(
    made: Ground, plan: Sequence[tuple[int, int]], progress: Progress
) -> list[Round]:
    all_ways: tuple[Way, ...] = (ways.Agent(), ways.Raw(made.manager), ways.Ansible(made))
    (task,) = progress.task_ids
    found: list[Round] = []
    async with Watch(made.manager, made.workers) as watch:
        await watch.clean()
        for way in all_ways:
            progress.update(task, description=f"warming up: {way.name}")
            await _round(way, made.workers, 0, watch)
            progress.advance(task)
        for count, rounds in plan:
            for number in range(rounds):
                # One machine alone is another one each round.
                machines = [
                    made.workers[(number + offset) % len(made.workers)] for offset in range(count)
                ]
                turn = number % len(all_ways)
                for way in all_ways[turn:] + all_ways[:turn]:
                    progress.update(
                        task, description=f"{count} by {way.name}, round {number + 1} of {rounds}"
                    )
                    found.append(await _round(way, machines, number + 1, watch))
                    progress.advance(task)
    return found


async def _round(way: Way, machines: list[Machine], number: int, watch: Watch) -> Round:
    token = await watch.token()
    seen = Seen()
    wall, began = clock.now().timestamp(), clock.monotonic()
    async with asyncio.timeout(_WITHIN):
        await asyncio.gather(
            way.join(machines, token),
            watch.follow(machines, seen, until_active=way.until_active, within=_WITHIN),
        )
    reached: list[dict[str, float]] = []
    retries = 0
    if way.until_active:
        await asyncio.sleep(0.5)
        for machine in machines:
            stages, again = ways.stages(machine, began=began, wall=wall)
            reached.append({**stages, "ready": seen.ready[machine.hostname] - began})
            retries += again
    await watch.clean()
    return Round(
        way=way.name,
        machines=len(machines),
        number=number,
        ready=[at - began for at in seen.ready.values()],
        serving=[at - began for at in seen.active.values()] if way.until_active else [],
        stages=reached,
        retries=retries,
        coarsest=seen.coarsest,
    )


def _show(rounds: Sequence[Round], about: dict[str, object]) -> None:
    out = Console(width=_WIDTH)
    entries = figures.summary(rounds)
    named = {way.name: way.what for way in (ways.Agent, ways.Raw, ways.Ansible)}
    out.print(figures.table(entries, named))
    for one in entries:
        if "stages" in one:
            parts = ", ".join(f"{name} {took:.2f}" for name, took in one["stages"].items())
            out.print(f"{one['machines']} by {one['way']}, each stage's share: {parts}")
    every = [one.json() for one in rounds]
    print(json.dumps({"bench": "join", **about, "medians": entries, "rounds": every}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.join", description=__doc__)
    parser.add_argument("--machines", type=_numbers, default=[1, 8], help="at once; default 1,8")
    parser.add_argument("--rounds", type=_numbers, default=[7, 5], help="of each; default 7,5")
    asked = parser.parse_args()
    if len(asked.machines) != len(asked.rounds):
        parser.error("--machines and --rounds take as many numbers each")
    return asked


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text}: each is 1 or more")
    return numbers


if __name__ == "__main__":
    main()
