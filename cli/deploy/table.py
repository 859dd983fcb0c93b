"""A deployment in progress, as a table that fits 100 columns."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from cli.deploy.convergence import Progress
from cli.terminal.tables import STATE_STYLES, made


def deployment(services: Sequence[Progress]) -> RenderableType:
    """One line a service of a stack that is being deployed."""
    table = made("SERVICE", "IMAGE")
    table.add_column("STATE", overflow="fold")
    for one in services:
        table.add_row(
            one.name, escape(one.image), Text(one.line, style=STATE_STYLES.get(one.state, ""))
        )
    return table
