"""Wait until the leader stops moving a stack's tasks, or until a deployed stack is running."""

import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape

from cli.deploy import rollout as rollouts
from cli.deploy.rollout import Look, Rollout, Row
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.progress.services import Convergence, ServiceProgress
from cli.terminal.exits import Exit, fail, say
from cli.terminal.live import POLL_SECONDS
from cli.terminal.tables import coloured, new_table
from runtime import clock
from runtime.errors import ClusterError
from wire.labels import LABEL_LOAN

_PAUSED: Final = frozenset({"paused", "rollback_paused"})


def wait_for_leader(docker: Docker, stack: Stack, deadline: float) -> list[Row]:
    """Wait until the leader is no longer moving the stack's tasks; return the stack's services.

    During a move, the leader changes the services' specs, and a deployment would overwrite these
    changes. The leader does not touch a service whose update is paused, so a paused update is not
    waited for: the deployment repairs the service, and the leader lends again if it has to.
    """
    last = ""
    while True:
        services = docker.services(stack.name)
        moving = [service["Spec"]["Name"] for service in services if is_being_moved(service)]
        if not moving:
            return services
        sentence = f"waiting for the leader to finish moving tasks of {', '.join(sorted(moving))}"
        if sentence != last:
            say(last := sentence)
        if clock.monotonic() > deadline:
            fail(
                Exit.REFUSED,
                "the leader is still moving tasks; nothing was deployed",
                next_step="run `spotswarm leaving` to see what the leader is waiting for, then"
                " deploy again",
            )
        time.sleep(POLL_SECONDS)


def is_being_moved(service: Row) -> bool:
    """Return whether the leader is moving the service's tasks and will end the move by itself."""
    state = (service.get("UpdateStatus") or {}).get("State", "")
    return LABEL_LOAN in (service["Spec"].get("Labels") or {}) and state not in _PAUSED


def wait_for_convergence(
    docker: Docker,
    stack: Stack,
    rollout: Rollout,
    deadline: float,
    out: Console,
    *,
    is_quiet: bool,
) -> Look:
    """Watch the deployment until it ends, and return its last observed state.

    On a terminal, show a live table. Otherwise, print one line per change.
    """
    convergence = Convergence(timeout_seconds=max(1.0, deadline - clock.monotonic()))
    shown: dict[str, str] = {}
    trouble = ""
    with Live(console=out, auto_refresh=False, transient=True) as live:
        while True:
            try:
                look = rollouts.look(docker, stack, rollout, convergence)
            except ClusterError as exc:
                # A Raft election or an engine's restart takes seconds, in which an engine also says
                # that it is no manager. The deployment continues in the meantime.
                if clock.monotonic() > deadline:
                    raise
                if str(exc) != trouble:
                    say(trouble := str(exc))
                time.sleep(POLL_SECONDS)
                continue
            for service in look.services:
                if not is_quiet and shown.get(service.name) != service.sentence:
                    shown[service.name] = service.sentence
                    if not out.is_terminal:
                        out.print(escape(f"{service.name}: {service.sentence}"))
            if out.is_terminal and not is_quiet:
                live.update(table(look.services), refresh=True)
            if look.verdict != "under way":
                return look
            time.sleep(POLL_SECONDS)


def table(services: Sequence[ServiceProgress]) -> RenderableType:
    """Return a table with one row per service in the stack."""
    services_table = new_table("SERVICE", "IMAGE", "STATE")
    for service in services:
        services_table.add_row(
            service.name, escape(service.image), coloured(service.state, service.sentence)
        )
    return services_table
