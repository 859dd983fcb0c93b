"""The `python -m lab watch` command, which shows a live view of the cluster under load.

Rule: the command deploys an ingress and some services as an operator would. After that, it only
sends requests and watches the cluster. With `--interrupt`, the simulated AWS interrupts a worker,
and the command does nothing to help the cluster.
"""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.terminal_theme import SVG_EXPORT_THEME

from lab.client import Lab
from lab.commands.picture import WIDTH, Decision, Frame, Requests, draw
from lab.commands.showing import command, fail, out
from lab.commands.sight import Look, Node, Sight
from lab.load import ingress, traffic
from lab.load.fates import Fate
from lab.load.traffic import Plan
from lab.load.web_service import WebService
from runtime import clock

app: Final = typer.Typer()
SERVICES: Final = (
    WebService("shop", 1, start_seconds=3),
    WebService("blog", 1),
    WebService("cart", 2, start_seconds=3),
    WebService("front", 6),
)
_FROM_AFAR: Final = re.compile(r',\s*url\("https:[^;]*(?=;)')
"""Matches an exported picture's web fonts; the picture must not load anything from the network."""
_LOOK_SECONDS: Final = 0.4
_LATELY_SECONDS: Final = 5.0
_SETTLED_SECONDS: Final = 3.0
_WORDS: Final = {
    "PauseNode": "pause", "DrainNode": "drain", "OrderLeave": "let go", "RemoveNode": "remove",
    "ChangeService": "change", "TerminateInstance": "terminate", "ActivateNode": "activate",
    "LabelNode": "label", "ProbeNode": "probe", "SettleNode": "settle",
}  # fmt: skip


@app.command()
def watch(
    *,
    interrupt: Annotated[bool, typer.Option(help="Let AWS reclaim a worker, then exit.")] = False,
    seconds: Annotated[float, typer.Option(help="When to exit; 0 means on Ctrl-C.")] = 0,
    rate: Annotated[float, typer.Option(help="Requests per second for each service.")] = 10,
    svg: Annotated[Path | None, typer.Option(help="Save the key moments to this file.")] = None,
) -> None:
    """Show a live view of nodes, tasks, requests and decisions while the cluster is under load."""
    lab = Lab.attach()
    sight = Sight(lab)
    with out.status("starting Traefik and some services"):
        _prepare(lab, sight)
    watching = Watching(sight)
    with load(lab, rate) as fates:
        shown = Live(console=out, auto_refresh=False)
        try:
            with shown:
                for frame in watching.frames(fates, lab, is_interrupting=interrupt, until=seconds):
                    shown.update(draw(frame), refresh=True)
        except KeyboardInterrupt:
            out.print("the services keep running; run `make demo-down` to take the lab down")
    lost = sum(fate.outcome != "ok" for fate in fates)
    out.print(f"{len(fates)} requests sent, {lost} lost")
    if svg is not None:
        _export(svg, watching.scenes, interrupt=interrupt)


class Watching:
    """Watches the swarm, and saves a picture of each key moment."""

    def __init__(self, sight: Sight) -> None:
        self.scenes: dict[str, RenderableType] = {}
        """The name of a key moment → its picture."""
        self._sight = sight
        self._began = clock.monotonic()
        self._began_at = clock.now()
        self._decided: dict[tuple[str, str, str], Decision] = {}
        self._known: dict[str, Node] = {}

    def frames(
        self, fates: list[Fate], lab: Lab, *, is_interrupting: bool, until: float
    ) -> Iterator[Frame]:
        """Yield frames until the cluster settles after an interruption, or until time runs out.

        `until` is the time limit in seconds; 0 means no limit.
        """
        victim: Node | None = None
        over: float | None = None
        while True:
            frame = self._frame(fates)
            yield frame
            if victim is None and is_interrupting and frame.since > _LATELY_SECONDS:
                self.scenes["before"] = draw(frame, decisions=0)
                victim = _victim(frame.look)
                self._begin()
                lab.market.interrupt(victim.instance)
            elif victim is not None:
                self._keep(frame, victim)
                is_gone = victim.id not in frame.look.nodes and frame.look.is_settled
                over = (over or frame.since) if is_gone else None
                if over is not None and frame.since - over > _SETTLED_SECONDS:
                    self.scenes["settled again"] = draw(frame, decisions=3)
                    return
            if until and frame.since > until:
                return
            time.sleep(_LOOK_SECONDS)

    def _begin(self) -> None:
        self._began, self._began_at = clock.monotonic(), clock.now()
        self._decided.clear()

    def _frame(self, fates: list[Fate]) -> Frame:
        look = self._sight.look()
        self._known |= look.nodes
        leaving = self._sight.leader("/leaving") or []
        return Frame(
            since=look.at - self._began,
            look=look,
            leaving={row["node"]: row for row in leaving},
            requests=_counted(fates, look.at),
            decisions=self._decisions(look),
            gone=[node for name, node in self._known.items() if name not in look.nodes],
        )

    def _decisions(self, look: Look) -> list[Decision]:
        """Return the leader's decisions about nodes and services since monitoring began."""
        names = {node.id: node.hostname for node in self._known.values()}
        services = {service.id: service.name for service in look.services.values()}
        for name in (*names, *services.values()):
            explained = self._sight.leader(f"/explain/{name}") or {}
            for row in explained.get("decisions", ()):
                since = (datetime.fromisoformat(row["at"]) - self._began_at).total_seconds()
                if since >= 0:
                    key = row["at"], row["action"], row["subject"]
                    self._decided[key] = _worded(row, since, names | services)
        return sorted(self._decided.values(), key=lambda decision: decision.since)

    def _keep(self, frame: Frame, victim: Node) -> None:
        look, on = frame.look, frame.look.on(victim.id)
        is_up = look.is_up_without(victim.id)
        starting = any(task.is_wanted and not task.is_up for task in look.tasks)
        for name, holds in (
            ("leaving: other tasks start elsewhere first", starting and bool(on)),
            ("replaced: the old tasks finish their requests", is_up and bool(on)),
            ("gone", victim.id not in look.nodes),
        ):
            if holds and name not in self.scenes:
                self.scenes[name] = draw(frame, decisions=3)


def _worded(row: dict[str, Any], since: float, names: dict[str, str]) -> Decision:
    subject = row["subject"].partition(" ")[2] or row["subject"]
    action, reason = _WORDS.get(row["action"], row["action"]), row["reason"]
    for ident, name in names.items():
        subject, reason = subject.replace(ident, name), reason.replace(ident, name)
    return Decision(since, action, subject, reason)


def _counted(fates: list[Fate], at: float) -> Requests:
    done = len(fates)
    lately = [fate for fate in fates[max(0, done - 500) : done] if fate.due > at - _LATELY_SECONDS]
    took = sorted(fate.latency for fate in lately)
    return Requests(
        sent=done,
        lost=sum(fate.outcome != "ok" for fate in fates[:done]),
        p99_ms=1000 * took[int(0.99 * (len(took) - 1))] if took else 0.0,
        lag_ms=1000 * max((fate.lag for fate in lately), default=0.0),
    )


def _victim(look: Look) -> Node:
    """Choose the worker to interrupt, preferably one that runs a service's only task."""
    single = {service.id for service in look.services.values() if service.replicas == 1}
    serving = [node for node in look.nodes.values() if node.role == "worker" and node.is_serving]
    if not serving:
        fail(f"no worker is serving; run `{command()} launch` to launch one")
    return max(serving, key=lambda node: sum(t.service in single for t in look.on(node.id)))


def _prepare(lab: Lab, sight: Sight) -> None:
    ingress.open_ingress(lab)
    present = {service.name for service in sight.look().services.values()}
    ingress.deploy(lab, *(service for service in SERVICES if service.name not in present))
    ingress.wait_served(lab, *SERVICES, within=90)


@contextmanager
def load(lab: Lab, rate: float) -> Iterator[list[Fate]]:
    """Send requests to all services at a steady rate; yield the growing list of results."""
    plan = Plan(
        [machine.address for machine in ingress.managers(lab)],
        [service.host for service in SERVICES],
        rate=rate,
    )
    fates: list[Fate] = []
    until = asyncio.Event()
    loop = asyncio.new_event_loop()
    flowing = threading.Thread(
        target=lambda: loop.run_until_complete(traffic.flow(plan, until, fates=fates)), name="load"
    )
    flowing.start()
    try:
        yield fates
    finally:
        loop.call_soon_threadsafe(until.set)
        flowing.join()
        loop.close()


def _export(to: Path, scenes: dict[str, RenderableType], *, interrupt: bool) -> None:
    """Save the pictures of all key moments in one SVG file."""
    console = Console(record=True, width=WIDTH, file=Path("/dev/null").open("w"))  # noqa: SIM115
    for number, (name, scene) in enumerate(scenes.items()):
        if number:
            console.print()
        console.print(Rule(name, style="dim", align="left"))
        console.print(scene)
    words = f"python -m lab watch{' --interrupt' if interrupt else ''}"
    form = _FROM_AFAR.sub("", CONSOLE_SVG_FORMAT)
    console.save_svg(str(to), title=words, theme=SVG_EXPORT_THEME, code_format=form)
    out.print(f"saved {len(scenes)} moments to {to}")
