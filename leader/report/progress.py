"""Shows the progress of nodes that are leaving or returning, and what they are waiting for.

Rule: `leader.leaving.steps` makes the decisions, and this module only shows the steps.
`spotswarm leaving --json` prints the data that this module returns.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from leader.leaving.stages import Step
from leader.leaving.starting import wished_terms
from leader.leaving.steps import next_step
from leader.moving.fates import Manner, is_replaced, manner, to_move
from leader.moving.stranded import without_address
from leader.report.fates import stranded
from leader.view.ids import node_subject
from leader.view.model import Node
from leader.view.moment import Moment
from leader.view.terms import Leaving, drain_by, leave_by, leaving_of
from leader.view.work import Task, Work
from wire.labels import DRAINED, HINTED, LEAVING

_IS_LEAVING: Final = frozenset({"evacuating", "draining", "leaving"})


def leaving(moment: Moment) -> list[dict[str, Any]]:
    """Return the rows of `spotswarm leaving`, sorted by deadline, with drained nodes last.

    There is a row for each node that is leaving, drained or returning, or that is paused because of
    a rebalance recommendation.
    """
    nodes = moment.view.nodes.values()
    rows = [row for node in nodes if (row := _row(node, moment)) is not None]
    return sorted(
        rows, key=lambda row: (row["stage"] == DRAINED, row["deadline"] or "", row["hostname"])
    )


def _terms(node: Node, moment: Moment) -> Leaving:
    """Read a node's departure terms from its labels or from a pending drain request."""
    wish = moment.view.moves.wishes.get(node.id)
    if wish is not None and wish.want == "drain" and node.phase != LEAVING:
        return wished_terms(wish)
    return leaving_of(node)


def _row(node: Node, moment: Moment) -> dict[str, Any] | None:
    step = next_step(node, moment)
    if step is None:
        return None
    view, policy, at = moment.view, moment.policy, moment.at
    terms, work, waits_for = _terms(node, moment), view.work or Work(), step.waits_for
    setback = view.setbacks.get(node_subject(node.id))
    if setback is not None:
        host = node.hostname.partition(".")[0]
        times = "once" if setback.times == 1 else f"{setback.times} times"
        waits_for += f"; the last step failed {times}, run `spotswarm explain {host}` to see why"
    nowhere = _stranded(node, step, moment)
    if nowhere:
        waits_for += f"; {nowhere[0]}" + (f", and {len(nowhere) - 1} more" if nowhere[1:] else "")
    has_deadline = terms.deadline.timestamp() > 0
    is_leaving = step.stage in _IS_LEAVING
    has_limits = is_leaving or step.stage == DRAINED
    return {
        "hostname": node.hostname,
        "node": node.id,
        "instance": node.instance,
        "why": terms.why,
        "since": terms.since.isoformat() if terms.since.timestamp() > 0 else None,
        "deadline": terms.deadline.isoformat() if has_deadline else None,
        "seconds_left": _left(terms.deadline, at) if is_leaving or step.stage == HINTED else None,
        "drain_in": _left(drain_by(terms, policy), at) if has_limits else None,
        "leave_in": _left(leave_by(terms, policy), at) if has_limits else None,
        "then": terms.then.value,
        "stage": step.stage,
        "tasks": [
            _task(task, moment, work)
            for task in sorted(work.on(node.id), key=work.name)
            if task.is_wanted or task.is_there
        ],
        "tasks_known": view.work is not None,
        "waits_for": waits_for,
        "stranded": list(nowhere),
    }


def _stranded(node: Node, step: Step, moment: Moment) -> tuple[str, ...]:
    """Return a sentence for each service whose tasks still have to move and cannot.

    The plan that `spotswarm drain` prints has the same sentences.
    """
    view = moment.view
    if step.stage != "evacuating" or step.action is not None or view.work is None:
        return ()
    waiting = {task.service for task in to_move(node.id, view, view.work)}
    return (
        *stranded(node, view, view.work, only=waiting),
        *without_address(node, view.work, moment.at),
    )


def _left(until: datetime, at: datetime) -> float:
    return max(0.0, round((until - at) / timedelta(seconds=1), 1))


def _task(task: Task, moment: Moment, work: Work) -> dict[str, Any]:
    service = work.services.get(task.service)
    return {
        "name": work.name(task),
        "state": task.state,
        "is_wanted": task.is_wanted,
        "manner": manner(service).value if service else Manner.STOP_FIRST.value,
        "replaced": is_replaced(task, moment.view, work),
        "is_job": service is not None and service.is_job,
    }
