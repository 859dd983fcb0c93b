"""A benchmark's progress bar and error output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lab.host import LabError

Report = Callable[[str], None]


@contextmanager
def progress(total: int) -> Iterator[tuple[Report, Callable[[], None]]]:
    """Show a progress bar on stderr.

    Yield a function that displays the current step's name, and a function that advances the bar.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("set-up", total=total)
        yield (
            lambda step: bar.update(task, description=step),
            lambda: bar.advance(task),
        )


def fail(reason: LabError) -> NoReturn:
    """Print the error and exit with status 1."""
    Console(stderr=True).print(str(reason), style="red", markup=False, highlight=False)
    sys.exit(1)
