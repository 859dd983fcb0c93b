"""Reports what needs the operator's attention now: refusals, pending tasks and a set clock.

Rule: everything here follows from the view, so a report lasts exactly as long as its cause. The
decisions are made in `leader.decide` and `leader.upkeep`; this module only describes them.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from leader.decide import refusals
from leader.upkeep.candidates import Candidate, Group, candidates, unbound_nodes
from leader.view.moment import Moment
from leader.view.work import Task, Work

_UNPLACED: Final = frozenset({"new", "allocated", "pending"})
_PENDING_AFTER: Final = timedelta(seconds=10)
"""Swarm places a task within milliseconds if a node can take it."""


def attention(moment: Moment, step: timedelta) -> dict[str, Any]:
    """Return the part of `status` that needs the operator's attention.

    `step` is how far this machine's clock was set since the term began.
    """
    return {
        "refusals": refused(moment),
        "pending_tasks": pending_tasks(moment),
        "clock_step_seconds": round(step.total_seconds(), 1),
    }


def refused(moment: Moment, names: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the standing refusals: all, or those about these nodes and instances."""
    return [
        {
            "about": refusal.about,
            "reason": refusal.reason,
            "nodes": list(refusal.nodes),
            "instances": list(refusal.instances),
        }
        for refusal in refusals(moment)
        if names is None or not {*refusal.nodes, *refusal.instances}.isdisjoint(names)
    ]


def pending_tasks(moment: Moment) -> list[dict[str, Any]]:
    """Return one row for each service with tasks that no node takes, and Swarm's message.

    While the services and tasks are being listed again, the result is empty.
    """
    work = moment.view.work or Work()
    rows = []
    for service in sorted(work.services.values(), key=lambda service: service.name):
        tasks = [task for task in work.of_service(service.id) if _is_pending(task, moment.at)]
        if tasks:
            rows.append(
                {
                    "service": service.name,
                    "tasks": len(tasks),
                    "wanted": service.replicas if service.mode == "replicated" else None,
                    "why": _message(tasks),
                    "seconds": round(max(_age(task, moment.at) for task in tasks)),
                }
            )
    return rows


def _is_pending(task: Task, at: datetime) -> bool:
    is_unplaced = task.is_wanted and task.state in _UNPLACED
    return is_unplaced and at - task.created >= _PENDING_AFTER


def _age(task: Task, at: datetime) -> float:
    return max(0.0, (at - task.created).total_seconds())


def _message(tasks: Collection[Task]) -> str:
    messages = Counter(task.trouble for task in tasks if task.trouble)
    return messages.most_common(1)[0][0] if messages else "Swarm has not said why"


def outlook(moment: Moment, names: Collection[str]) -> list[str]:
    """Return a sentence for each of these nodes and instances that will be removed, and when."""
    refused_instances = {name for refusal in refusals(moment) for name in refusal.instances}
    return [
        _sentence(candidate, moment, is_refused=candidate.instance in refused_instances)
        for candidate in candidates(moment)
        if candidate.instance in names or candidate.node in names
    ]


_WILL: Final = {
    Group.ENDED: "the node {host} is removed from the swarm, because EC2 has terminated {instance}",
    Group.MISSING: "the node {host} is removed from the swarm unless EC2 lists {instance} as"
    " running again",
    Group.SILENT: "{instance} is terminated unless its node {host} is Ready again",
    Group.ORPHANS: "{instance} is terminated unless it joins the swarm",
}


def _sentence(candidate: Candidate, moment: Moment, *, is_refused: bool) -> str:
    what = _WILL[candidate.group].format(host=candidate.hostname, instance=candidate.instance)
    when = "When the refusal ends" if is_refused else _when(candidate, moment)
    return f"{when}, {what}{''.join(_doubts(candidate, moment))}"


def _when(candidate: Candidate, moment: Moment) -> str:
    seconds = round((candidate.due_at - moment.at).total_seconds())
    if candidate.is_due:
        return "In this round or one of the next"
    return f"In {seconds} s" if seconds > 0 else "After the next lists of nodes and instances"


def _doubts(candidate: Candidate, moment: Moment) -> Iterator[str]:
    """Yield what would prevent the removal."""
    unbound = unbound_nodes(moment.view) if candidate.group is Group.ORPHANS else ()
    if unbound:
        hosts = ", ".join(sorted(node.hostname for node in unbound)[:3])
        yield f"; this does not happen while {hosts} is in the swarm without a known instance"
