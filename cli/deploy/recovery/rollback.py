"""Give services back what they were before a deployment, and watch until they run so again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cli.deploy.recovery.record import Before
from cli.deploy.recovery.restoring import Restoration, Step, restorations
from cli.edges.docker_cli import Docker
from cli.terminal.exits import say
from cli.terminal.live import POLL_SECONDS
from runtime import clock
from runtime.errors import ClusterError

_ROLLBACK_SECONDS: Final = 120.0

Row = dict[str, Any]


@dataclass
class Rollback:
    """What is known about a rollback; it stays true if the rollback is interrupted."""

    steps: dict[str, Step] = field(default_factory=dict)
    """The last step of each service."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be restored."""
        return all(step.is_last for step in self.steps.values())

    @property
    def restored(self) -> list[str]:
        """The services that were seen to be as before."""
        return [name for name, step in sorted(self.steps.items()) if step.doing == "restored"]

    @property
    def left(self) -> dict[str, str]:
        """The jobs that stay as the deployment made them, with the reason."""
        return {name: step.reason for name, step in self.steps.items() if step.doing == "job"}

    @property
    def not_restored(self) -> dict[str, str]:
        """The services that are not as before, with what they wait for."""
        return {
            name: step.reason
            for name, step in sorted(self.steps.items())
            if step.doing not in {"restored", "job"}
        }


def roll_back(
    docker: Docker, stack: str, services: Mapping[str, Before], rollback: Rollback
) -> None:
    """Restore the specs of these services; end when each is as before, or after two minutes.

    Swarm may also roll back a service, and other users may update a service at any time. Therefore,
    a spec is replaced only if the service has not changed since it was last read. An engine that
    does not respond is asked again until the time has run out.
    """
    deadline = clock.monotonic() + _ROLLBACK_SECONDS
    rollback.steps = {name: Step("wait", "it was not looked at") for name in services}
    open_restorations = restorations(services)
    trouble = ""
    while open_restorations and clock.monotonic() < deadline:
        try:
            rows = docker.services(stack)
            tasks = docker.tasks(stack)
        except ClusterError as exc:
            if str(exc) != trouble:
                trouble = str(exc)
                say(f"the rollback waits for the engine: {trouble}")
            _wait_for(rollback, open_restorations, trouble)
            time.sleep(POLL_SECONDS)
            continue
        for name, restoration in list(open_restorations.items()):
            row = next((row for row in rows if row["ID"] == restoration.before.id), None)
            step = restoration.step(row, _own(tasks, row), clock.monotonic())
            rollback.steps[name] = _performed(docker, step, row)
            if step.is_last:
                del open_restorations[name]
        time.sleep(POLL_SECONDS)


def _performed(docker: Docker, step: Step, row: Row | None) -> Step:
    """Write the spec of a step; return the step with the engine's error, if it has rejected it."""
    if step.spec is None or row is None:
        return step
    try:
        docker.restore(step.spec, row)
    except ClusterError as exc:
        # The engine also rejects the spec if the service has changed meanwhile: look again.
        return Step("wait", str(exc))
    return step


def _wait_for(rollback: Rollback, names: Mapping[str, Restoration], trouble: str) -> None:
    rollback.steps |= {name: Step("wait", trouble) for name in names}


def _own(tasks: Sequence[Row], row: Row | None) -> list[Row]:
    return [task for task in tasks if row is not None and task["ServiceID"] == row["ID"]]
