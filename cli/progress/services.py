"""Check Swarm's services and tasks to determine whether a stack is running as deployed.

Rule: a task counts only if it is running and was created from its service's current spec. Swarm
reports a task as `running` only after its health check, if any, passes. A service is steady when
enough tasks count, Swarm is not trying to run old tasks, and no update is in progress. A task that
is meant to end counts when it has completed. A stack has converged when all its services have been
steady for a few seconds. One check is not enough, because even a program that crashes at startup
runs briefly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.progress import ending
from cli.progress.failures import (
    NO_NODE,
    Failure,
    failures_of,
    is_start_first_stuck,
    waits_of,
)
from cli.progress.nodes import Member, fits
from cli.progress.specs import is_current, is_job, is_same_template, is_start_first, mode_of
from wire.platforms import platforms_of

State = Literal["waiting", "steady", "failed"]
Verdict = Literal["under way", "converged", "failed", "timeout"]
Json = Mapping[str, Any]
_UNDER_WAY: Final = frozenset({"updating", "rollback_started"})
_ROLLED_BACK: Final = frozenset({"rollback_started", "rollback_paused", "rollback_completed"})
_UNDONE: Final = _ROLLED_BACK | {"paused"}
_MAX_FAILURES: Final = 4
"""A service with this many failed tasks counts as failed.

A few failures are normal, because a service may start before the services that it depends on.
"""
_STEADY_SECONDS: Final = 3.0
_STUCK_SECONDS: Final = 10.0
"""How long tasks may wait for room that a start-first update itself takes."""


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
    waits: list[Failure] = field(default_factory=list)
    """Tasks that no node has yet."""
    complete: int = 0
    """How many tasks have ended well, of a service whose tasks are meant to end."""
    is_stuck: bool = False
    """Whether an update that starts new tasks first waits for room that old tasks take."""

    @property
    def is_rolled_back_by_swarm(self) -> bool:
        """Whether Swarm has rolled back the service, or is rolling it back."""
        return self.update in _ROLLED_BACK

    @property
    def sentence(self) -> str:
        """The progress so far, as text for the operator."""
        counts = [f"{self.complete} of {self.wanted} complete"] if self.complete else []
        if not self.complete or self.running:
            counts.append(f"{self.running} of {self.wanted} running")
        text = ", ".join(counts)
        if self.update and self.update != "completed":
            text += f", {self.update.replace('_', ' ')}"
        if self.failures:
            last = self.failures[-1]
            text += f", {len(self.failures)} failed: {last.error} ({last.node})"
        elif reasons := [wait.error for wait in self.waits if NO_NODE in wait.error]:
            text += f", {len(self.waits)} waiting: {reasons[-1]}"
        return text


def service_progress(
    service: Json,
    tasks: Iterable[Json],
    nodes: Sequence[Member],
    *,
    before: frozenset[str],
    old: Json | None = None,
) -> ServiceProgress:
    """Return a service's progress.

    `before` contains the ids of the tasks that existed before the deployment, and `old` is the
    service's spec at that time, or None for a new service.
    """
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    update = (service.get("UpdateStatus") or {}).get("State", "")
    hosts = {node.id: node.hostname for node in nodes}
    own = [task for task in tasks if task["ServiceID"] == service["ID"]]
    is_ending = is_job(spec)
    if is_ending:
        own = ending.executed(service, own)
    # Swarm keeps the tasks of a removed node. These tasks are not wanted, but nothing stops them.
    desired = {"complete"} if is_ending else {"running", "ready"}
    wanted_tasks = [task for task in own if task["DesiredState"] in desired]
    current = [task for task in wanted_tasks if is_current(task, template)]
    running = [task for task in current if task["Status"]["State"] == "running"]
    progress = ServiceProgress(
        name=spec["Name"],
        image=template["ContainerSpec"]["Image"].partition("@")[0],
        state="waiting",
        running=len(running),
        wanted=_wanted(spec, nodes),
        update=update,
        failures=failures_of(
            spec["Name"],
            own,
            template=template,
            old_template=old["TaskTemplate"] if old else None,
            before=before,
            hosts=hosts,
        ),
        waits=waits_of(spec["Name"], wanted_tasks, hosts),
    )
    progress.is_stuck = (
        update == "updating" and is_start_first(spec) and is_start_first_stuck(progress.waits)
    )
    if is_ending:
        job, progress.complete = ending.job_state(own, progress.wanted)
        is_enough, has_ended_badly = job == "complete", job == "gave up"
    else:
        has_ended_badly = False
        if mode_of(spec) == "Replicated":
            progress.complete, has_ended_badly = ending.one_shot_slots(
                service, own, progress.wanted
            )
        is_enough = len(running) + progress.complete >= progress.wanted
        is_enough = is_enough and len(current) == len(wanted_tasks) and update not in _UNDER_WAY
    if update in _UNDONE or len(progress.failures) >= _MAX_FAILURES or has_ended_badly:
        progress.state = "failed"
    elif is_enough:
        progress.state = "steady"
    return progress


def is_changed(before: Json | None, after: Json) -> bool:
    """Return whether a deployment changed a service in a way that makes Swarm replace its tasks."""
    return before is None or not is_same_template(
        before["Spec"]["TaskTemplate"], after["Spec"]["TaskTemplate"]
    )


@dataclass
class Convergence:
    """Determines whether a deployment has converged, failed or run out of time."""

    timeout_seconds: float
    steady_seconds: float = _STEADY_SECONDS
    started: float | None = None
    steady_since: float | None = None
    stuck_since: float | None = None

    def update(self, services: Sequence[ServiceProgress], at: float) -> Verdict:
        """Record the progress at monotonic time `at`, and return a verdict on the deployment."""
        if self.started is None:
            self.started = at
        if any(service.state == "failed" for service in services):
            return "failed"
        if not any(service.is_stuck for service in services):
            self.stuck_since = None
        elif self.stuck_since is None:
            self.stuck_since = at
        elif at - self.stuck_since >= _STUCK_SECONDS:
            return "failed"
        if all(service.state == "steady" for service in services):
            if self.steady_since is None:
                self.steady_since = at
            # Time does not run out in the last seconds of a deployment that has come up.
            is_long_enough = at - self.steady_since >= self.steady_seconds
            return "converged" if is_long_enough else "under way"
        self.steady_since = None
        return "timeout" if at - self.started >= self.timeout_seconds else "under way"


def _wanted(spec: Json, nodes: Sequence[Member]) -> int:
    mode = spec["Mode"]
    if "Replicated" in mode:
        return int((mode["Replicated"] or {}).get("Replicas", 1))
    placement = spec["TaskTemplate"].get("Placement") or {}
    constraints, platforms = placement.get("Constraints") or (), platforms_of(placement)
    eligible = sum(
        node.is_ready and node.is_active and fits(node, constraints, platforms) for node in nodes
    )
    return ending.completions(spec, eligible) if is_job(spec) else eligible
