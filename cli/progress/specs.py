"""Compare service specs and task specs, and read settings from them.

Rule: specs come from the engine's API, without the default values that `docker inspect` adds.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from wire.labels import LABEL_LOAN

Json = Mapping[str, Any]
Mode = Literal["Replicated", "Global", "ReplicatedJob", "GlobalJob"]
_DEFAULTS: Final = (
    ("StopGracePeriod", 10_000_000_000),
    ("RestartPolicy", {"Condition": "any", "Delay": 5_000_000_000}),
)
"""Default values that the engine adds to a service's spec but not to its tasks' specs."""
_NOT_IN_TASKS: Final = frozenset({"Placement", "Networks", "Runtime"})
"""Parts of a task template that can differ although Swarm keeps the task.

Placement can change without tasks being replaced, and the leader changes it temporarily. A service
may refer to a network by name while its tasks refer to it by id.
"""


def mode_of(spec: Json) -> Mode:
    """Return a service's mode, by the name that the engine's API uses."""
    mode = spec.get("Mode") or {}
    names: tuple[Mode, ...] = ("Global", "ReplicatedJob", "GlobalJob")
    return next((name for name in names if name in mode), "Replicated")


def is_job(spec: Json) -> bool:
    """Return whether a service is a job, whose tasks end."""
    return mode_of(spec) in {"ReplicatedJob", "GlobalJob"}


def is_start_first(spec: Json) -> bool:
    """Return whether an update starts a new task before it stops the old one."""
    return (spec.get("UpdateConfig") or {}).get("Order") == "start-first"


def with_stop_first(spec: Json) -> Json:
    """Return the spec with updates that stop the old task before they start the new one."""
    # Without update settings, Swarm replaces one task at a time; 0 would mean all tasks.
    settings = spec.get("UpdateConfig") or {"Parallelism": 1}
    return {**spec, "UpdateConfig": {**settings, "Order": "stop-first"}}


def without_loan(spec: Json) -> Json:
    """Return the spec as its owner wrote it, without what the leader has lent.

    A loan that cannot be read stays, as the leader leaves it alone, too.
    """
    text = (spec.get("Labels") or {}).get(LABEL_LOAN)
    if text is None:
        return spec
    try:
        loan = json.loads(text)
        lent, mode = set(loan.get("constraints") or ()), spec["Mode"]
        own, scaled = loan.get("replicas") or (None, None)
    except (ValueError, TypeError, AttributeError):
        return spec
    template = spec["TaskTemplate"]
    if placement := template.get("Placement"):
        constraints = [text for text in placement.get("Constraints") or () if text not in lent]
        template = {**template, "Placement": {**placement, "Constraints": constraints}}
    if own is not None and (mode.get("Replicated") or {}).get("Replicas") == scaled:
        mode = {"Replicated": {"Replicas": own}}
    return {
        **spec,
        "Labels": _without(spec["Labels"], {LABEL_LOAN}),
        "Mode": mode,
        "UpdateConfig": loan.get("own") if "lent" in loan else spec.get("UpdateConfig"),
        "TaskTemplate": template,
    }


def is_same_template(left: Json, right: Json) -> bool:
    """Return whether Swarm would keep a task of one template if the other replaces the template.

    The forced-update counter counts, because a forced update replaces all tasks. Empty values do
    not, because newer clients add `false` and empty objects to services but not to tasks.
    """
    return bool(_template(left) == _template(right))


def is_current(task: Json, template: Json) -> bool:
    """Return whether a task was created from this task template."""
    return is_same_template(task["Spec"], template)


def is_same_spec(left: Json, right: Json) -> bool:
    """Return whether two specs of a service are equal, except for the leader's loan.

    The leader may lend and restore constraints, update settings and replicas at any time. It
    restores its own changes itself. The platforms are what the registry says about the image.
    """
    if LABEL_LOAN in (left.get("Labels") or {}) or LABEL_LOAN in (right.get("Labels") or {}):
        left, right = _without_loan(left), _without_loan(right)
    return bool(_spec(left) == _spec(right))


def _without_loan(spec: Json) -> Json:
    labels = {key: value for key, value in (spec.get("Labels") or {}).items() if key != LABEL_LOAN}
    template = spec.get("TaskTemplate") or {}
    placement = _without(template.get("Placement") or {}, {"Constraints"})
    mode = {
        name: _without(settings or {}, {"Replicas"})
        for name, settings in (spec.get("Mode") or {}).items()
    }
    return {
        **_without(spec, {"UpdateConfig"}),
        "Labels": labels,
        "Mode": mode,
        "TaskTemplate": {**template, "Placement": placement},
    }


def _spec(spec: Json) -> Any:
    template = spec.get("TaskTemplate") or {}
    placement = _without(template.get("Placement") or {}, {"Platforms"})
    return without_empty({**spec, "TaskTemplate": {**template, "Placement": placement}})


def _template(template: Json) -> Any:
    return without_empty(_without(template, _NOT_IN_TASKS))


def _without(table: Json, names: Iterable[str]) -> Json:
    return {key: value for key, value in table.items() if key not in set(names)}


def without_empty(value: Any) -> Any:
    """Return the value without empty and default parts, at every depth."""
    if isinstance(value, Mapping):
        parts = {key: without_empty(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part and (key, part) not in _DEFAULTS}
    return [without_empty(part) for part in value] if isinstance(value, list) else value
