"""`spotswarm status | nodes | leaving | joins | explain`: what the active leader sees and why."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import RenderableType
from rich.live import Live

from cli.edges.admin import ask
from cli.terminal import tables
from cli.terminal.exits import Exit

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it again every second.")]


def status(as_json: AsJson = False, watch: Watch = False) -> None:
    """Show how the cluster is; exit code 1 when it is not well."""
    told = _show("status", tables.status, as_json=as_json, watch=watch)
    if told.get("problem") or not told.get("healthy", True):
        raise typer.Exit(int(Exit.UNHEALTHY))


def nodes(as_json: AsJson = False, watch: Watch = False) -> None:
    """List the swarm's nodes with their instances; * marks the leader."""
    _show("nodes", tables.nodes, as_json=as_json, watch=watch)


def leaving(as_json: AsJson = False, watch: Watch = False) -> None:
    """List the nodes that are leaving, hinted, drained or returning, and what they wait for."""
    _show("leaving", tables.leaving, as_json=as_json, watch=watch)


def joins(as_json: AsJson = False, watch: Watch = False) -> None:
    """List who asked to join and what became of it, newest first."""
    _show("joins", tables.joins, as_json=as_json, watch=watch)


def explain(
    node: Annotated[
        str, typer.Argument(help="Host name, node id, instance id, address; or service.")
    ],
    as_json: AsJson = False,
    watch: Watch = False,
) -> None:
    """Tell why a node is as it is: every decision, its reason and its cause."""
    _show(f"explain/{quote(node, safe='')}", tables.explanation, as_json=as_json, watch=watch)


def _show(path: str, render: Callable[[Any], RenderableType], *, as_json: bool, watch: bool) -> Any:
    answer = ask(path)
    if as_json:
        _print_json(answer)
    console = tables.console()
    if not watch:
        if not as_json:
            console.print(render(answer))
        return answer
    try:
        if as_json:
            while True:
                time.sleep(1)
                _print_json(ask(path))
        with Live(render(answer), console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(1)
                answer = ask(path)
                live.update(render(answer), refresh=True)
    except KeyboardInterrupt:
        return answer


def _print_json(answer: Any) -> None:
    print(json.dumps(answer, indent=2), flush=True)
