"""Let Docker apply the stack, and try again while the reason for its error passes by itself."""

import re
import time
from typing import Final

from cli.deploy.reading.handover import files_of
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.edges.docker_output import indented
from cli.terminal.exits import say
from runtime import clock
from runtime.errors import RefusedError, UnavailableError

_PASSING: Final = re.compile(r"update out of sequence|network \S+ not found", re.IGNORECASE)
"""What Docker says if somebody changes a service at the same time, or if something is going away.

`docker stack deploy` looks up what exists before it changes anything. What it does not find later
was removed in the meantime. It can be run again, because it changes only what differs.
"""
_PASSING_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 1.0


def is_passing(error: RefusedError) -> bool:
    """Return whether the same deployment may succeed a moment later."""
    lines = (str(error), *getattr(error, "__notes__", ()))
    return any(_PASSING.search(line) for line in lines)


def apply(docker: Docker, stack: Stack, *, resolve: str, deadline: float) -> None:
    """Deploy the stack, and print Docker's warnings.

    Raises:
        RefusedError: if Docker rejects the stack; some services may have been changed by then.
        UnavailableError: if the engine does not respond until the deadline.
    """
    if not stack.services:
        return
    patience, last = min(deadline, clock.monotonic() + _PASSING_SECONDS), ""
    while True:
        try:
            with files_of(stack) as files:
                warning = docker.deploy(stack.name, files, resolve=resolve)
            if warning:
                say(indented(warning))
        except RefusedError as exc:
            if not is_passing(exc) or clock.monotonic() > patience:
                raise
            sentence = f"{exc}; Docker tries again"
        except UnavailableError as exc:
            if clock.monotonic() > deadline:
                raise
            sentence = f"{exc}; Docker tries again when the engine responds"
        else:
            return
        if sentence != last:
            say(last := sentence)
        time.sleep(_PAUSE_SECONDS)
