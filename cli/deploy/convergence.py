"""Whether a stack runs as it was asked to, by what Swarm tells of services and tasks. Pure.

Rule: a task counts when it is made of what its service is now and runs; Swarm says `running` only
when its health check is well. A service has converged when enough of them run, none of the old
ones is wanted, and no update is under way; and stays so for a moment, for a program that dies at
its start was running too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.deploy.placement import Member, fits

State = Literal["waiting", "steady", "failed"]
_UNDER_WAY: Final = frozenset({"updating", "rollback_started"})
_UNDONE: Final = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
_DEFAULTS: Final = (
    ("StopGracePeriod", 10_000_000_000),
    ("RestartPolicy", {"Condition": "any", "Delay": 5_000_000_000}),
)
"""What the engine tells of a service that says nothing about it, and not of its tasks."""
_ENDED_BADLY: Final = frozenset({"failed", "rejected"})
MOST_FAILURES: Final = 4
"""Tasks of one service that may fail: they start in no order, and the first may be too early."""
STEADY_SECONDS: Final = 3.0

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that did not come up."""

    task: str
    service: str
    node: str
    state: str
    error: str


@dataclass
class Progress:
    """One service: how far it is."""

    name: str
    image: str
    state: State
    running: int
    wanted: int
    update: str
    """Swarm's word for the update, empty when there is none."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def line(self) -> str:
        """For people."""
        about = f"{self.running} of {self.wanted} running"
        if self.update and self.update != "completed":
            about += f", {self.update.replace('_', ' ')}"
        if self.failures:
            about += f", {len(self.failures)} failed: {self.failures[-1].error}"
        return about


def progress(
    service: Told, tasks: Iterable[Told], nodes: Sequence[Member], *, before: frozenset[str]
) -> Progress:
    """How far a service is; `before` are the tasks there were before the deployment."""
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    update = (service.get("UpdateStatus") or {}).get("State", "")
    names = {node.id: node.hostname for node in nodes}
    # Swarm removes a node without its tasks; those are not wanted, and nobody will stop them.
    mine = [task for task in tasks if task["ServiceID"] == service["ID"]]
    wanted_on = [task for task in mine if task["DesiredState"] in {"running", "ready"}]
    current = [task for task in wanted_on if _made_of(task) == _lasting(template)]
    running = [task for task in current if task["Status"]["State"] == "running"]
    failures = [
        Failure(
            task=task["ID"],
            service=spec["Name"],
            node=names.get(task.get("NodeID", ""), task.get("NodeID", "") or "no node"),
            state=task["Status"]["State"],
            error=task["Status"].get("Err") or task["Status"].get("Message", ""),
        )
        for task in sorted(mine, key=lambda one: str(one["CreatedAt"]))
        if task["ID"] not in before
        and task["Status"]["State"] in _ENDED_BADLY
        and _made_of(task) == _lasting(template)
    ]
    wanted = _wanted(spec, nodes)
    state: State = "waiting"
    if update in _UNDONE or len(failures) >= MOST_FAILURES:
        state = "failed"
    elif len(running) >= wanted and len(current) == len(wanted_on) and update not in _UNDER_WAY:
        state = "steady"
    return Progress(
        name=spec["Name"],
        image=template["ContainerSpec"]["Image"].partition("@")[0],
        state=state,
        running=len(running),
        wanted=wanted,
        update=update,
        failures=failures,
    )


def is_changed(before: Told | None, after: Told) -> bool:
    """Whether a deployment made another service of it, tasks anew included."""
    return before is None or _lasting(before["Spec"]["TaskTemplate"]) != _lasting(
        after["Spec"]["TaskTemplate"]
    )


@dataclass
class Watch:
    """All services over time: when it is over, and how it ended."""

    timeout_seconds: float
    steady_seconds: float = STEADY_SECONDS
    started: float | None = None
    steady_since: float | None = None

    def saw(
        self, found: Sequence[Progress], at: float
    ) -> Literal["under way", "converged", "failed", "timeout"]:
        """Take one look at a time of the monotonic clock."""
        if self.started is None:
            self.started = at
        if any(one.state == "failed" for one in found):
            return "failed"
        if all(one.state == "steady" for one in found):
            if self.steady_since is None:
                self.steady_since = at
            if at - self.steady_since >= self.steady_seconds:
                return "converged"
        else:
            self.steady_since = None
        return "timeout" if at - self.started >= self.timeout_seconds else "under way"


def _wanted(spec: Told, nodes: Sequence[Member]) -> int:
    mode = spec["Mode"]
    if "Replicated" in mode:
        return int(mode["Replicated"].get("Replicas", 1))
    constraints = (spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or ()
    return sum(node.is_ready and node.is_active and fits(node, constraints) for node in nodes)


def _made_of(task: Told) -> Told:
    return _lasting(task["Spec"])


def _lasting(template: Told) -> Told:
    """Without what can change while its tasks stay: placement, which the leader's loans use too.

    A forced update counts: it makes all tasks anew. That of networks is left out, for Swarm writes
    names as ids in one of the two. So is all that says nothing: newer clients write `false` and
    empty tables into a service, which its tasks do not have.
    """
    left_out = {"Placement", "Networks", "Runtime"}
    said: Told = _said({key: value for key, value in template.items() if key not in left_out})
    return said


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        parts = {key: _said(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part and (key, part) not in _DEFAULTS}
    return [_said(part) for part in value] if isinstance(value, list) else value
