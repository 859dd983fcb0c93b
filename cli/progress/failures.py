"""Name the tasks that failed, and the tasks that wait, with their nodes and reasons.

Rule: a failure counts if the deployment created the task, even if Swarm has rolled the service back
since. A failure of a task that existed before the deployment does not count. A task that ended with
exit code 0 has failed if Swarm is to run it on: programs end so when Swarm stops them because of
their health check.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cli.progress.specs import is_current

Json = Mapping[str, Any]
_FAILED: Final = frozenset({"failed", "rejected"})
_COMPLETE: Final = "complete"
_NOT_PLACED: Final = frozenset({"new", "pending"})
_NO_ROOM_FIRST: Final = ("max replicas per node limit exceed", "host-mode port already in use")
"""What Swarm's scheduler says if the old task keeps the new one from starting first."""
NO_NODE: Final = "no suitable node"
"""How Swarm's scheduler begins the reason why no node can take a task."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed, was rejected by its node, or waits for a node."""

    task: str
    service: str
    node: str
    state: str
    error: str

    @property
    def is_waiting(self) -> bool:
        """Whether no node has the task, so that it has not started yet."""
        return self.state in _NOT_PLACED


def failures_of(
    name: str,
    tasks: Iterable[Json],
    *,
    template: Json,
    old_template: Json | None,
    before: frozenset[str],
    hosts: Mapping[str, str],
) -> list[Failure]:
    """Return a service's failed tasks of this deployment, oldest first.

    `old_template` is the task template before the deployment, or None for a new service. `before`
    contains the ids of the tasks that existed then, and `hosts` maps node ids to host names.
    """

    def is_new(task: Json) -> bool:
        if is_current(task, template):
            return True
        return old_template is not None and not is_current(task, old_template)

    return [
        _failure(name, task, hosts)
        for task in _by_age(tasks)
        if task["ID"] not in before and _has_failed(task) and is_new(task)
    ]


def waits_of(name: str, wanted: Iterable[Json], hosts: Mapping[str, str]) -> list[Failure]:
    """Return the wanted tasks that no node has, with the scheduler's reason, oldest first."""
    return [
        _failure(name, task, hosts)
        for task in _by_age(wanted)
        if task["Status"]["State"] in _NOT_PLACED
    ]


def is_start_first_stuck(waits: Sequence[Failure]) -> bool:
    """Return whether a task waits for room that only the end of an old task would make."""
    return any(phrase in wait.error for wait in waits for phrase in _NO_ROOM_FIRST)


def has_no_node(waits: Sequence[Failure]) -> bool:
    """Return whether a task waits because no node can take it, or because it has no address."""
    return any(NO_NODE in wait.error or wait.state == "new" for wait in waits)


def _has_failed(task: Json) -> bool:
    state = task["Status"]["State"]
    return state in _FAILED or (state == _COMPLETE and not _may_end(task))


def _may_end(task: Json) -> bool:
    """Return whether a task that ends with exit code 0 has done what it is for."""
    policy = task["Spec"].get("RestartPolicy") or {}
    return "JobIteration" in task or policy.get("Condition", "any") not in {"", "any"}


def _by_age(tasks: Iterable[Json]) -> list[Json]:
    return sorted(tasks, key=lambda task: str(task["CreatedAt"]))


def _failure(service: str, task: Json, hosts: Mapping[str, str]) -> Failure:
    node = task.get("NodeID", "") or "no node"
    status = task["Status"]
    error = status.get("Err") or status.get("Message", "")
    if status["State"] == _COMPLETE:
        error = "it ended with exit code 0, perhaps because its health check had failed"
    return Failure(
        task=task["ID"],
        service=service,
        node=hosts.get(node, node),
        state=status["State"],
        error=error,
    )
