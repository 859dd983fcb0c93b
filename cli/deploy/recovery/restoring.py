"""Decides how each service gets back to what it was before the deployment.

Rule: a service counts as restored only after it was seen, for a few seconds, to have its old spec,
no update in progress, as many running tasks as before and no task of another spec. Nothing else may
be called rolled back. The decisions depend only on the record and on what the engine shows, so
another command can continue at any point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from cli.deploy.recovery.record import Before
from cli.progress.failures import has_no_node, waits_of
from cli.progress.specs import (
    Json,
    is_current,
    is_job,
    is_same_spec,
    mode_of,
    with_stop_first,
)
from wire.labels import LABEL_LOAN

_QUIET_SECONDS: Final = 3.0
_STUCK_SECONDS: Final = 5.0
"""How long a task may wait for a node before the old task is stopped first."""
_RETRY_SECONDS: Final = 15.0
"""How long a paused rollback rests before it is tried again."""
_OVER: Final = frozenset({"", "completed", "rollback_completed"})
_PAUSED: Final = frozenset({"paused", "rollback_paused"})
_WANTED: Final = frozenset({"running", "ready"})

Doing = Literal["restored", "write", "wait", "removed", "job"]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about one service, and why."""

    doing: Doing
    reason: str = ""
    spec: Json | None = None
    """The spec to write, if `doing` is `write`."""

    @property
    def is_last(self) -> bool:
        """Whether nothing more can be done about the service."""
        return self.doing in {"restored", "removed", "job"}


@dataclass
class Restoration:
    """The way of one service back to its old spec."""

    before: Before
    quiet_since: float | None = field(default=None, init=False)
    stuck_since: float | None = field(default=None, init=False)
    written_at: float | None = field(default=None, init=False)

    def step(self, service: Json | None, tasks: Sequence[Json], at: float) -> Step:
        """Return the next step, from the service's row and its own tasks at monotonic time `at`."""
        spec = self.before.spec
        if service is None:
            return Step("removed", "the service has been removed since")
        is_back = is_same_spec(service["Spec"], spec)
        if _is_meant_to_end(self.before):
            reason = "Swarm would run the earlier version again"
            return Step("restored") if is_back else Step("job", reason)
        unrest = _unrest(self.before, service, tasks)
        is_stopping_first = not is_back and is_same_spec(service["Spec"], with_stop_first(spec))
        if is_back and not unrest:
            self.stuck_since = None
            self.quiet_since = at if self.quiet_since is None else self.quiet_since
            if at - self.quiet_since >= _QUIET_SECONDS:
                return Step("restored")
            return Step("wait", "it runs as before; the command checks that it stays so")
        self.quiet_since = None
        if not is_back and not is_stopping_first:
            return self._write(spec, "its spec is not the earlier one", at)
        if is_stopping_first and not unrest:
            return self._write(spec, "it runs as before; its own update order comes back", at)
        return self._helped(service, tasks, unrest, at)

    def _helped(self, service: Json, tasks: Sequence[Json], unrest: str, at: float) -> Step:
        """Help a service whose spec is back, but whose tasks are not."""
        spec, state = self.before.spec, _update_state(service)
        if not self.before.running:
            # Stopping other tasks first could stop the only ones that serve.
            return Step("wait", unrest)
        if state in _PAUSED:
            if self.written_at is not None and at - self.written_at < _RETRY_SECONDS:
                return Step("wait", unrest)
            return self._write(with_stop_first(spec), f"{unrest}; Swarm tries again", at)
        waits = waits_of("", [task for task in tasks if task["DesiredState"] in _WANTED], {})
        is_lent = LABEL_LOAN in (service["Spec"].get("Labels") or {})
        if is_lent or not (_starts_first(service) and has_no_node(waits)):
            self.stuck_since = None
            return Step("wait", unrest)
        self.stuck_since = at if self.stuck_since is None else self.stuck_since
        if at - self.stuck_since < _STUCK_SECONDS:
            return Step("wait", unrest)
        reason = "no node can start the earlier tasks first, so the others stop first"
        return self._write(with_stop_first(spec), reason, at)

    def _write(self, spec: Json, reason: str, at: float) -> Step:
        self.written_at, self.stuck_since = at, None
        return Step("write", reason, spec)


def _unrest(before: Before, service: Json, tasks: Sequence[Json]) -> str:
    """Return why the service does not run as before, or an empty string if it does."""
    template = before.spec["TaskTemplate"]
    wanted = [task for task in tasks if task["DesiredState"] in _WANTED]
    state = _update_state(service)
    if not before.running and state in _PAUSED:
        return ""
    if state not in _OVER:
        waits = waits_of("", wanted, {})
        cause = f": {waits[-1].error}" if waits and waits[-1].error else ""
        return f"its update is {state.replace('_', ' ')}{cause}"
    if before.running and not all(is_current(task, template) for task in wanted):
        return "some of its tasks have another spec"
    running = sum(task["Status"]["State"] == "running" for task in wanted)
    needed = _needed(before, wanted)
    if running < needed:
        return f"{running} of {needed} tasks are running"
    if _has_doubles(before, wanted):
        return "some of its tasks run twice"
    return ""


def _is_meant_to_end(before: Before) -> bool:
    """Return whether the service's tasks end, such as the tasks of a job or of a migration."""
    policy = before.spec["TaskTemplate"].get("RestartPolicy") or {}
    has_ended = not before.running and policy.get("Condition", "any") != "any"
    return is_job(before.spec) or has_ended


def _needed(before: Before, wanted: Sequence[Json]) -> int:
    if mode_of(before.spec) != "Replicated":
        # The number of nodes can have changed meanwhile.
        return min(before.running, len(wanted))
    replicas = (before.spec["Mode"].get("Replicated") or {}).get("Replicas", 1)
    return min(int(replicas), before.running)


def _has_doubles(before: Before, wanted: Sequence[Json]) -> bool:
    if mode_of(before.spec) != "Replicated":
        return False
    slots = [task.get("Slot") for task in wanted]
    return len(set(slots)) < len(slots)


def _starts_first(service: Json) -> bool:
    """Return whether Swarm's update, or its own rollback, starts new tasks first now."""
    name = "RollbackConfig" if _update_state(service).startswith("rollback") else "UpdateConfig"
    return (service["Spec"].get(name) or {}).get("Order") == "start-first"


def _update_state(service: Json) -> str:
    return str((service.get("UpdateStatus") or {}).get("State", ""))


def restorations(services: Mapping[str, Before]) -> dict[str, Restoration]:
    """Return the restoration of each of these services."""
    return {name: Restoration(before) for name, before in services.items()}
