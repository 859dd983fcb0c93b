"""Shows the steps of long work: a line for each step, and a spinner while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.commands.showing import out


@contextmanager
def showing_steps(first: str) -> Iterator[Callable[[str], None]]:
    """Yields a function to call at the start of each step; it prints the seconds so far."""
    began = time.monotonic()
    with out.status(first) as spinner:

        def begin(step: str) -> None:
            out.print(f"{time.monotonic() - began:4.0f} s  {step}", markup=False, highlight=False)
            spinner.update(step)

        begin(first)
        yield begin
