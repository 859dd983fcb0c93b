"""Services of a stack that run in the swarm and are not deployed any more.

Rule: they are removed only at the operator's request, and only after the deployment has succeeded.
The exception is a service whose place another service has taken, such as the other gateway: two
sources of prices must not run at the same time.
"""

from collections.abc import Collection
from dataclasses import dataclass

import typer

from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail, say, say_notes
from runtime.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The names in the swarm of services that run and are not part of the deployment."""

    gone: tuple[str, ...] = ()
    """Services that the stack file does not contain."""
    unselected: tuple[str, ...] = ()
    """Services of the stack file that SERVICES or `when` does not select."""
    replaced: tuple[str, ...] = ()
    """Services whose place another service takes. They are removed after the deployment."""

    def report(self) -> dict[str, list[str]]:
        """Return the fields for `--json`; none if there are no such services."""
        still_there = sorted(self.gone + self.unselected)
        fields = {"still_there": still_there, "replaced": list(self.replaced)}
        return {name: services for name, services in fields.items() if services}


def find(docker: Docker, stack: Stack) -> Leftovers:
    """Return the stack's services that run and are not deployed.

    Raises:
        ClusterError: if the swarm's services cannot be read.
    """
    return among(_running(docker, stack), stack)


def among(running: set[str], stack: Stack) -> Leftovers:
    """Return those of the running services that are not deployed. `running` has full names."""
    prefix = f"{stack.name}_"
    deployed = {prefix + name for name in stack.services}
    replaced = {prefix + name for name in stack.replaced}
    unselected = {prefix + name for name in stack.unselected} - replaced
    left = running - deployed
    return Leftovers(
        gone=tuple(sorted(left - unselected - replaced)),
        unselected=tuple(sorted(left & unselected)),
        replaced=tuple(sorted(left & replaced)),
    )


def settle(docker: Docker, stack: Stack, leftovers: Leftovers, *, prune: bool) -> None:
    """Remove replaced services, and with `prune` all others; otherwise, name the others.

    Call this after a deployment that succeeded. Exit with INCOMPLETE if Docker does not remove
    them, and with INTERRUPTED if a signal ends the removal: the stack runs all the same.
    """
    removed = list(leftovers.replaced)
    if prune:
        removed += [*leftovers.gone, *leftovers.unselected]
    else:
        remark(stack, leftovers)
    if not removed:
        return
    names = sorted(removed)
    try:
        # A service that the operator has removed meanwhile is no error.
        if present := sorted(_running(docker, stack) & set(removed)):
            docker.remove_services(present)
            say(f"removed: {', '.join(present)}")
    except KeyboardInterrupt:
        say(f"\ninterrupted: {stack.name} is deployed; perhaps not removed: {', '.join(names)}")
        say(f"next: run `docker service rm {' '.join(names)}`")
        raise typer.Exit(int(Exit.INTERRUPTED)) from None
    except ClusterError as exc:
        say_notes(exc)
        fail(
            Exit.INCOMPLETE,
            f"{stack.name} is deployed, but these services could not be removed:"
            f" {', '.join(names)}: {exc}",
            next_step=f"run `docker service rm {' '.join(names)}`",
        )


def withdraw_rivals(
    docker: Docker, stack: Stack, leftovers: Leftovers, created: Collection[str]
) -> list[str]:
    """Remove what a failed deployment has created next to the services that it would replace.

    `created` has the names in the swarm of the services that the deployment has created. Return the
    names of those that are removed.
    """
    rivals = sorted({f"{stack.name}_{name}" for name in stack.rivals} & set(created))
    if not (leftovers.replaced and rivals):
        return []
    names = ", ".join(rivals)
    try:
        docker.remove_services(rivals)
    except ClusterError as exc:
        say(f"could not remove {names}, which must not run next to the service that it replaces:")
        say(f"    {exc}; run `docker service rm {' '.join(rivals)}`")
        return []
    say(f"removed: {names}, because {', '.join(leftovers.replaced)} still runs")
    return rivals


def remark(stack: Stack, leftovers: Leftovers) -> None:
    """Say which services are still there, and how they can be removed."""
    if leftovers.gone:
        say(f"still there, and no longer in {stack.name}.yml: {', '.join(leftovers.gone)}")
    if leftovers.unselected:
        say(f"still there, and not selected by .env: {', '.join(leftovers.unselected)}")
    if leftovers.gone or leftovers.unselected:
        say("to remove them, deploy again with --prune")


def _running(docker: Docker, stack: Stack) -> set[str]:
    return {str(row["Spec"]["Name"]) for row in docker.services(stack.name)}
