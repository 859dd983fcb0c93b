"""Whether a stack runs as deployed, judged from what Swarm says about services and tasks.

Rule: a task counts if it was made from the current spec of its service and is running; Swarm
calls it `running` only once its health check passes. A service has converged when enough tasks
run, none of the old ones is wanted and no update is under way. It must stay so for a moment,
because a program that crashes at start is running for an instant too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.progress.nodes import Member, fits

State = Literal["waiting", "steady", "failed"]
Verdict = Literal["under way", "converged", "failed", "timeout"]
Json = Mapping[str, Any]
_UNDER_WAY: Final = frozenset({"updating", "rollback_started"})
_UNDONE: Final = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
_DEFAULTS: Final = (
    ("StopGracePeriod", 10_000_000_000),
    ("RestartPolicy", {"Condition": "any", "Delay": 5_000_000_000}),
)
"""What the engine adds to the spec of a service that does not set it, but not to its tasks."""
_FAILED_STATES: Final = frozenset({"failed", "rejected"})
_MAX_FAILURES: Final = 4
"""Tasks of one service that may fail. They start in any order, so the first may be too early."""
_STEADY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that did not come up."""

    task: str
    service: str
    node: str
    state: str
    error: str


@dataclass
class ServiceProgress:
    """How far one service is."""

    name: str
    image: str
    state: State
    running: int
    wanted: int
    update: str
    """Swarm's state of the update; empty if there is none."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The progress, for people."""
        text = f"{self.running} of {self.wanted} running"
        if self.update and self.update != "completed":
            text += f", {self.update.replace('_', ' ')}"
        if self.failures:
            text += f", {len(self.failures)} failed: {self.failures[-1].error}"
        return text


def service_progress(
    service: Json, tasks: Iterable[Json], nodes: Sequence[Member], *, before: frozenset[str]
) -> ServiceProgress:
    """How far a service is; `before` are the ids of tasks older than the deployment."""
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    update = (service.get("UpdateStatus") or {}).get("State", "")
    names = {node.id: node.hostname for node in nodes}
    own = [task for task in tasks if task["ServiceID"] == service["ID"]]
    # Swarm removes a node without its tasks. Those are not wanted, though nobody stops them.
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
    """Whether a deployment changed a service so that Swarm replaces its tasks."""
    return before is None or _compared(before["Spec"]["TaskTemplate"]) != _compared(
        after["Spec"]["TaskTemplate"]
    )


@dataclass
class Convergence:
    """All services over time: when the deployment is over, and how it ended."""

    timeout_seconds: float
    steady_seconds: float = _STEADY_SECONDS
    started: float | None = None
    steady_since: float | None = None

    def update(self, services: Sequence[ServiceProgress], at: float) -> Verdict:
        """Take one look, made at a time of the monotonic clock."""
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
    constraints = (spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or ()
    return sum(node.is_ready and node.is_active and fits(node, constraints) for node in nodes)


def _is_current(task: Json, template: Json) -> bool:
    return _compared(task["Spec"]) == _compared(template)


def _compared(template: Json) -> Json:
    """The part of a task template that decides whether tasks are replaced.

    Placement is left out: it can change while the tasks stay, and the leader's loans change it. A
    forced update counts, because it replaces all tasks. Networks are left out because Swarm writes
    them as names in one place and as ids in the other. Empty values are left out too: newer
    clients write `false` and empty tables into a service, but its tasks do not have them.
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
