"""Draws the output of `python -m lab watch`: nodes and tasks, requests, and leader decisions.

This module does no I/O.

Rule: a frame fits in 100 columns and 30 rows, and shows only observed or counted values. Each
service's name appears only once; everywhere else, a colour represents the service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.commands.sight import Look, Node, Task
from wire.labels import LABEL_LIFECYCLE, LABEL_PHASE

WIDTH: Final = 100
_COLOURS: Final = ("cyan", "magenta", "yellow", "green", "blue", "bright_red")
_UP, _STARTING, _STOPPING = "■", "□", "▪"
_MARKS: Final = 15
_MANAGER_ROWS: Final = 7


@dataclass(frozen=True, slots=True)
class Decision:
    """One of the leader's decisions, made `since` seconds after monitoring began."""

    since: float
    action: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Requests:
    """Statistics about the requests sent so far."""

    sent: int = 0
    lost: int = 0
    p99_ms: float = 0.0
    """The 99th percentile of the latency over the last few seconds."""
    lag_ms: float = 0.0
    """The longest recent delay caused by the load generator itself."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that the display shows at one moment."""

    since: float
    look: Look
    leaving: Mapping[str, Mapping[str, Any]]
    """Node id → the node's row in the output of `spotswarm leaving`."""
    requests: Requests
    decisions: Sequence[Decision]
    gone: Sequence[Node] = field(default=())
    """Nodes that have left since monitoring began."""


def draw(frame: Frame, *, decisions: int = 8) -> RenderableType:
    """Draw a frame for a terminal."""
    names = sorted(
        frame.look.services.values(), key=lambda service: (service.replicas, service.name)
    )
    colours = {service.id: _COLOURS[number % len(_COLOURS)] for number, service in enumerate(names)}
    return Group(
        _nodes(frame, colours),
        Text(),
        _services(frame.look, colours),
        _requests(frame.requests),
        Text(),
        *_decisions(frame.decisions[-decisions:] if decisions else ()),
    )


def _nodes(frame: Frame, colours: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, width=WIDTH)
    table.add_column("node", no_wrap=True, width=16)
    table.add_column("lifecycle", no_wrap=True, width=9)
    table.add_column("state", no_wrap=True, width=46, overflow="ellipsis")
    table.add_column("left", no_wrap=True, width=5, justify="right")
    table.add_column("tasks", no_wrap=True, width=_MARKS + 1, overflow="ellipsis")
    nodes = sorted(frame.look.nodes.values(), key=lambda node: (node.role, _place(node)))
    for node in nodes[:_MANAGER_ROWS]:
        row = frame.leaving.get(node.id)
        left = row["seconds_left"] if row else None
        table.add_row(
            f"{node.hostname}{' *' if node.is_leader else ''}",
            node.labels.get(LABEL_LIFECYCLE, "-"),
            _state(node, row),
            "" if left is None else f"{left:.0f} s",
            _marks(frame.look.on(node.id), colours),
        )
    for node in frame.gone:
        table.add_row(node.hostname, node.labels.get(LABEL_LIFECYCLE, "-"), "gone", "", style="dim")
    return table


def _place(node: Node) -> list[int]:
    """Return a sort key that orders nodes by the addresses in their host names."""
    return [int(part) for part in node.hostname.split("-") if part.isdigit()]


def _state(node: Node, row: Mapping[str, Any] | None) -> Text:
    if node.status != "ready":
        return Text(node.status, style="bold red")
    if row is not None:
        return Text(f"{row['stage']}; waits for {row['waits_for']}", style="bold yellow")
    if node.availability != "active":
        return Text(f"{node.labels.get(LABEL_PHASE) or node.availability}", style="yellow")
    return Text("serving" if node.role == "worker" else "manager", style="green")


def _marks(tasks: Sequence[Task], colours: Mapping[str, str]) -> Text:
    marks = Text()
    for task in sorted(tasks, key=lambda task: (list(colours).index(task.service), task.slot)):
        mark = (_UP if task.is_up else _STARTING) if task.is_wanted else _STOPPING
        marks.append(mark, style=colours[task.service] if task.is_wanted else "bright_black")
    return marks


def _services(look: Look, colours: Mapping[str, str]) -> Text:
    line = Text("services  ", style="bold")
    for service_id, colour in colours.items():
        service = look.services[service_id]
        up = sum(task.is_up for task in look.of(service_id))
        line.append(_UP, style=colour)
        line.append(f" {service.name} {up}/{service.replicas}   ", style="not bold")
    line.append(f"{_STARTING} starting  ", style="not bold")
    line.append(_STOPPING, style="bright_black")
    line.append(" stopping", style="not bold")
    return line


def _requests(counted: Requests) -> Text:
    line = Text("requests  ", style="bold")
    line.append(f"{counted.sent:,} sent, ", style="not bold")
    line.append(f"{counted.lost:,} lost", style="bold red" if counted.lost else "bold green")
    line.append(
        f"; 99 % within {counted.p99_ms:.0f} ms; sent up to {counted.lag_ms:.0f} ms late",
        style="not bold",
    )
    return line


def _decisions(decided: Sequence[Decision]) -> list[Text]:
    lines = [Text("the leader's decisions", style="bold")] if decided else []
    for decision in decided:
        line = Text(f"{decision.since:+6.1f} s  ", style="dim", no_wrap=True, overflow="ellipsis")
        line.append(f"{decision.action} {decision.subject}", style="not dim bold")
        line.append(f"  {decision.reason}", style="not dim")
        line.truncate(WIDTH, overflow="ellipsis")
        lines.append(line)
    return lines
