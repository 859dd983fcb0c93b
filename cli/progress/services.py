"""Check Swarm's services and tasks to determine whether a stack is running as deployed.

Rule: a task counts only if it is running and was created from its service's current spec. Swarm
reports a task as `running` only after its health check, if any, passes. A service is steady when
enough tasks count, Swarm is not trying to run old tasks, and no update is in progress. A stack has
converged when all its services have been steady for a few seconds. One check is not enough, because
even a program that crashes at startup runs briefly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.progress.nodes import Member, fits
from wire.platforms import platforms_of

State = Literal["waiting", "steady", "failed"]
Verdict = Literal["under way", "converged", "failed", "timeout"]
Json = Mapping[str, Any]
_UNDER_WAY: Final = frozenset({"updating", "rollback_started"})
_UNDONE: Final = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
_DEFAULTS: Final = (
    ("StopGracePeriod", 10_000_000_000),
    ("RestartPolicy", {"Condition": "any", "Delay": 5_000_000_000}),
)
"""Default values that the engine adds to a service's spec but not to its tasks' specs."""
_FAILED_STATES: Final = frozenset({"failed", "rejected"})
_MAX_FAILURES: Final = 4
"""A service with this many failed tasks counts as failed.

A few failures are normal, because a service may start before the services that it depends on.
"""
_STEADY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed or was rejected by its node."""

    task: str
    service: str
    node: str
    state: str
    error: str


@dataclass
class ServiceProgress:
    """The progress of one service."""

    name: str
    image: str
    state: State
    running: int
    wanted: int
    update: str
    """The state of Swarm's update; empty if there is no update."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The progress so far, as text for the operator."""
        text = f"{self.running} of {self.wanted} running"
        if self.update and self.update != "completed":
            text += f", {self.update.replace('_', ' ')}"
        if self.failures:
            text += f", {len(self.failures)} failed: {self.failures[-1].error}"
        return text


def service_progress(
    service: Json, tasks: Iterable[Json], nodes: Sequence[Member], *, before: frozenset[str]
) -> ServiceProgress:
    """Return a service's progress.

    `before` contains the ids of the tasks that existed before the deployment.
    """
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    update = (service.get("UpdateStatus") or {}).get("State", "")
    names = {node.id: node.hostname for node in nodes}
    own = [task for task in tasks if task["ServiceID"] == service["ID"]]
    # Swarm keeps the tasks of a removed node. These tasks are not wanted, but nothing stops them.
    wanted_tasks = [task for task in own if task["DesiredState"] in {"running", "ready"}]
    current = [task for task in wanted_tasks if _is_current(task, template)]
    running = [task for task in current if task["Status"]["State"] == "running"]
    failures = [
        Failure(
            task=task["ID"],
            service=spec["Name"],
            node=names.get(task.get("NodeID", ""), task.get("NodeID", "") or "no node"),
            state=task["Status"]["State"],
            error=task["Status"].get("Err") or task["Status"].get("Message", ""),
        )
        for task in sorted(own, key=lambda task: str(task["CreatedAt"]))
        if task["ID"] not in before
        and task["Status"]["State"] in _FAILED_STATES
        and _is_current(task, template)
    ]
    wanted = _wanted(spec, nodes)
    state: State = "waiting"
    if update in _UNDONE or len(failures) >= _MAX_FAILURES:
        state = "failed"
    elif len(running) >= wanted and len(current) == len(wanted_tasks) and update not in _UNDER_WAY:
        state = "steady"
    return ServiceProgress(
        name=spec["Name"],
        image=template["ContainerSpec"]["Image"].partition("@")[0],
        state=state,
        running=len(running),
        wanted=wanted,
        update=update,
        failures=failures,
    )


def is_changed(before: Json | None, after: Json) -> bool:
    """Return whether a deployment changed a service in a way that makes Swarm replace its tasks."""
    return before is None or _compared(before["Spec"]["TaskTemplate"]) != _compared(
        after["Spec"]["TaskTemplate"]
    )


@dataclass
class Convergence:
    """Determines whether a deployment has converged, failed or run out of time."""

    timeout_seconds: float
    steady_seconds: float = _STEADY_SECONDS
    started: float | None = None
    steady_since: float | None = None

    def update(self, services: Sequence[ServiceProgress], at: float) -> Verdict:
        """Record the progress at monotonic time `at`, and return a verdict on the deployment."""
        if self.started is None:
            self.started = at
        if any(service.state == "failed" for service in services):
            return "failed"
        if all(service.state == "steady" for service in services):
            if self.steady_since is None:
                self.steady_since = at
            if at - self.steady_since >= self.steady_seconds:
                return "converged"
        else:
            self.steady_since = None
        return "timeout" if at - self.started >= self.timeout_seconds else "under way"


def _wanted(spec: Json, nodes: Sequence[Member]) -> int:
    mode = spec["Mode"]
    if "Replicated" in mode:
        return int(mode["Replicated"].get("Replicas", 1))
    placement = spec["TaskTemplate"].get("Placement") or {}
    constraints, platforms = placement.get("Constraints") or (), platforms_of(placement)
    return sum(
        node.is_ready and node.is_active and fits(node, constraints, platforms) for node in nodes
    )


def _is_current(task: Json, template: Json) -> bool:
    return _compared(task["Spec"]) == _compared(template)


def _compared(template: Json) -> Json:
    """Return the fields of a task template that make Swarm replace tasks when they change.

    The forced-update counter is included, because a forced update replaces all tasks. Placement is
    left out, because it can change without tasks being replaced, and because the leader changes it
    temporarily. Networks are left out, because a service may refer to a network by name while
    its tasks refer to it by id. Empty values are left out, because newer clients add `false` and
    empty objects to services but not to tasks.
    """
    left_out = {"Placement", "Networks", "Runtime"}
    kept_parts = {key: value for key, value in template.items() if key not in left_out}
    compared: Json = _without_empty(kept_parts)
    return compared


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        parts = {key: _without_empty(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part and (key, part) not in _DEFAULTS}
    return [_without_empty(part) for part in value] if isinstance(value, list) else value
