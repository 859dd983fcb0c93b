"""Wait until nothing of the stack's name is being removed, for example by `docker stack rm`.

Docker would take a network that is going away for the stack's network, and then not find it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cli.edges.docker_cli import STACK_LABEL, Docker
from cli.progress.nodes import Member
from cli.terminal.exits import Exit, fail, say
from cli.terminal.live import POLL_SECONDS
from runtime import clock

_NETWORK_SECONDS: Final = 10.0
"""How long a network without services may take to go; one that stays belongs to the stack."""
_OVER: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
Row = Mapping[str, Any]


def is_stopping(task: Row, services: Sequence[Row], nodes: Sequence[Member]) -> bool:
    """Return whether a task of a removed service still runs on a node that responds."""
    if task["Status"]["State"] in _OVER or task["ServiceID"] in {row["ID"] for row in services}:
        return False
    ready = {node.id for node in nodes if node.is_ready}
    return task.get("NodeID", "") in ready


def wait_until_removed(docker: Docker, stack: str, deadline: float) -> None:
    """Wait while tasks and networks of removed services go away; exit if they take too long."""
    quiet_since, last = clock.monotonic(), ""
    while True:
        services = docker.services(stack)
        nodes = docker.nodes()
        tasks = sum(is_stopping(task, services, nodes) for task in docker.tasks(stack))
        networks = [] if services else docker.api.get("/networks", label=[f"{STACK_LABEL}={stack}"])
        if tasks:
            quiet_since = clock.monotonic()
        is_recent = clock.monotonic() - quiet_since < _NETWORK_SECONDS
        if not tasks and not (networks and is_recent):
            return
        parts = [f"{tasks} tasks"] if tasks else []
        parts += [f"network {row['Name']}" for row in networks]
        sentence = f"the stack is still being removed: {', '.join(parts)}"
        if clock.monotonic() > deadline:
            fail(
                Exit.REFUSED,
                f"{sentence}; nothing was deployed",
                next_step=f"deploy again when `docker stack ps {stack}` shows no running tasks",
            )
        if sentence != last:
            say(last := sentence)
        time.sleep(POLL_SECONDS)
