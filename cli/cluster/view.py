"""Show a response from the leader as a table or as JSON, either once or every second."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live

from cli.edges.admin import get
from cli.terminal.options import print_json
from cli.terminal.tables import console

Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Refresh every second until Ctrl-C is pressed.")
]
_REFRESH_SECONDS = 1


def show(path: str, render: Callable[[Any], RenderableType], *, as_json: bool, watch: bool) -> Any:
    """Request `path` from the leader's admin API, print the response, and return it.

    If `watch` is True, repeat this every second until Ctrl-C is pressed, and return the last
    response.
    """
    answer = get(path)
    print_json(answer, as_json)
    if not watch:
        if not as_json:
            console().print(render(answer))
        return answer
    try:
        if as_json:
            while True:
                time.sleep(_REFRESH_SECONDS)
                print_json(get(path), as_json)
        with Live(render(answer), console=console(), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(_REFRESH_SECONDS)
                answer = get(path)
                live.update(render(answer), refresh=True)
    except KeyboardInterrupt:
        return answer
