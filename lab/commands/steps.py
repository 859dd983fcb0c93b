"""Shows the progress of a long operation: a line for each step, and a spinner."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.commands.showing import out


@contextmanager
def showing_steps(first: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that prints the name of a step and the elapsed seconds."""
    began = time.monotonic()
    with out.status(first) as spinner:

        def begin(step: str) -> None:
            out.print(f"{time.monotonic() - began:4.0f} s  {step}", markup=False, highlight=False)
            spinner.update(step)

        begin(first)
        yield begin
