"""Count the tasks of jobs and one-shot services, which are meant to end.

Rule: a task that completed counts only if it belongs to the job's last execution, or was created
from the service's current task template. Swarm executes a job again whenever its spec is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from cli.progress.specs import Json, is_current, mode_of

_BROKEN: Final = frozenset({"failed", "rejected"})
_WANTED: Final = frozenset({"running", "ready"})
State = Literal["complete", "gave up", "under way"]


def executed(service: Json, tasks: Sequence[Json]) -> list[Json]:
    """Return the tasks of a job's last execution."""
    iteration = _iteration(service.get("JobStatus") or {})
    return [task for task in tasks if _iteration(task) == iteration]


def job_state(tasks: Sequence[Json], completions: int) -> tuple[State, int]:
    """Return the state of a job's last execution, and the number of its completed tasks."""
    complete = sum(task["Status"]["State"] == "complete" for task in tasks)
    if complete >= completions:
        return "complete", complete
    is_retried = any(
        task["DesiredState"] == "complete" and task["Status"]["State"] != "complete"
        for task in tasks
    )
    has_failed = any(task["Status"]["State"] in _BROKEN for task in tasks)
    return ("gave up" if has_failed and not is_retried else "under way"), complete


def completions(spec: Json, eligible: int) -> int:
    """Return how many tasks of a job must complete; a global job needs one per eligible node."""
    if mode_of(spec) == "GlobalJob":
        return eligible
    settings = spec["Mode"]["ReplicatedJob"] or {}
    total = settings.get("TotalCompletions")
    return int(settings.get("MaxConcurrent") or 1) if total is None else int(total)


def one_shot_slots(service: Json, tasks: Sequence[Json], wanted: int) -> tuple[int, bool]:
    """Return how many slots of a replicated service have ended well, and whether any gave up.

    Swarm does not start a task again if the restart policy forbids it. A slot has ended well if its
    last task completed, and has given up if its last task failed. Slots that are left over from a
    larger number of replicas do not count: `wanted` slots are enough.
    """
    template = service["Spec"]["TaskTemplate"]
    last: dict[int, Json] = {}
    busy: set[int] = set()
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"])):
        slot = int(task.get("Slot") or 0)
        if task["DesiredState"] in _WANTED:
            busy.add(slot)
        elif slot and is_current(task, template):
            last[slot] = task
    states = [task["Status"]["State"] for slot, task in last.items() if slot not in busy]
    restarts = (template.get("RestartPolicy") or {}).get("Condition", "any")
    ended = 0 if restarts == "any" else sum(state == "complete" for state in states)
    has_given_up = any(state in _BROKEN for state in states)
    return ended, has_given_up and len(busy) + ended < wanted


def _iteration(table: Mapping[str, Any]) -> int:
    return int((table.get("JobIteration") or {}).get("Index") or 0)
