"""Removes a node from the swarm: demotes and drains it, and terminates its instance.

Rules: the node's labels contain everything that the next leader needs to continue. A manager is
demoted first, but never if the managers would lose quorum. Deadlines apply even if some
tasks have not moved.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from leader.leaving.stages import Step, named
from leader.moving.fates import delays_drain, to_move
from leader.moving.stranded import sentences, stranded
from leader.view.actions import (
    DemoteNode,
    DrainNode,
    OrderLeave,
    Refuse,
    RemoveNode,
    SettleNode,
    TerminateInstance,
)
from leader.view.ids import InstanceId
from leader.view.model import Node, View
from leader.view.moment import Moment
from leader.view.terms import Leaving, Then, drain_by, leave_by, leaving_of, stop_by
from leader.view.work import Task, Work
from wire.labels import DRAINED, LABEL_PHASE, TAG_CLUSTER
from wire.messages import Availability, Role

_ORDER_AGAIN: Final = timedelta(seconds=5)
_LEAVE_WITHIN: Final = timedelta(seconds=20)


def leaving_step(node: Node, moment: Moment) -> Step:
    """Return the next step for a leaving node."""
    terms = leaving_of(node)
    if node.role is Role.MANAGER:
        return _demotion(node, terms, moment.view)
    if node.status == "down" and terms.then is not Then.STAY:
        reason = f"{node.hostname} was leaving ({terms.why}) and is now Down"
        return _removal(node, reason)
    if node.availability is Availability.PAUSE:
        return _evacuation(node, terms, moment)
    return _departure(node, terms, moment)


def why_not_demoted(node: Node, view: View) -> str | None:
    """Return why a manager must not be demoted now, or None if demotion is safe."""
    managers = view.managers()
    healthy = [
        other
        for other in managers
        if other.id != node.id and other.is_ready and other.reachability == "reachable"
    ]
    rest = len(managers) - 1
    if not rest:
        return f"{node.hostname} is the only manager"
    if len(healthy) < rest // 2 + 1:
        return (
            f"without {node.hostname}, only {len(healthy)} of {rest} managers would be reachable,"
            " which is not a majority"
        )
    if view.nodes_unread:
        return "a node in the swarm's list cannot be read, and may be a manager"
    joining = [granted for granted in view.outstanding.values() if granted.role is Role.MANAGER]
    if joining:
        return (
            f"{joining[0].instance.id} is joining as a manager;"
            " only one manager may change at a time"
        )
    return None


def _demotion(node: Node, terms: Leaving, view: View) -> Step:
    """Demote a leaving manager before draining it, if the remaining managers would keep quorum."""
    hindrance = why_not_demoted(node, view)
    if hindrance is not None:
        refusal = Refuse(
            about=f"demoting {node.hostname}",
            nodes=(node.id,),
            instances=() if node.instance is None else (node.instance,),
            reason=f"{node.hostname} should leave ({terms.why}) but cannot be demoted: {hindrance}",
        )
        return Step(
            "evacuating", f"the node's demotion, which is not possible now: {hindrance}", refusal
        )
    demotion = DemoteNode(
        node=node.id,
        instance=node.instance,
        reason=f"{node.hostname} is leaving ({terms.why}), and a manager must be demoted first",
    )
    return Step("evacuating", "the node's demotion", demotion)


def _evacuation(node: Node, terms: Leaving, moment: Moment) -> Step:
    """Drain the node when its tasks have moved or ended, or when time is up."""
    view, policy, at = moment.view, moment.policy, moment.at
    is_late = at >= drain_by(terms, policy)
    if view.work is None and not is_late:
        return Step("evacuating", "a list of the node's tasks")
    work = view.work or Work()
    moving = to_move(node.id, view, work)
    unmoved = tuple(map(work.name, moving))
    is_late = is_late or _needs_time_to_stop(node, moving, terms, moment)
    if unmoved and not is_late:
        return Step("evacuating", f"{named(unmoved)} to be up elsewhere")
    ending = [task for task in work.on(node.id) if delays_drain(task, work)]
    if ending and at < leave_by(terms, policy):
        return Step("evacuating", f"{named(map(work.name, ending))} to end")
    leaves = f"{node.hostname} is leaving ({terms.why})"
    if view.work is None:
        reason = f"{leaves}, and there is no time left to list its tasks"
    elif unmoved:
        late = (
            f"{leaves} at {terms.deadline:%H:%M:%S} UTC, and there is no time left to move"
            f" {', '.join(unmoved)}"
        )
        reason = "; ".join((late, *sentences(node, view, work)))
    else:
        reason = f"{leaves}, and every task that could be moved has been moved"
    drain = DrainNode(node=node.id, instance=node.instance, unmoved=unmoved, reason=reason)
    return Step("evacuating", "Swarm's drain", drain)


def _needs_time_to_stop(node: Node, moving: Sequence[Task], terms: Leaving, moment: Moment) -> bool:
    """Whether the remaining tasks have nowhere to go, and need the rest of the time to stop."""
    view, policy, work = moment.view, moment.policy, moment.view.work
    if work is None or not moving:
        return False
    grace = max(work.services[task.service].stop_grace for task in moving)
    if moment.at < stop_by(terms, policy, grace):
        return False
    nowhere = stranded(node, view, work)
    return all(task.id in nowhere for task in moving)


def _departure(node: Node, terms: Leaving, moment: Moment) -> Step:
    """Wait until the drained node is empty or time is up; the node then stays or leaves."""
    view = moment.view
    is_late = moment.at >= leave_by(terms, moment.policy)
    is_known = _is_work_known(view)
    if not is_known and not is_late:
        return Step("draining", "a list of the node's tasks")
    work = view.work or Work()
    remaining = tuple(map(work.name, work.still_on(node.id)))
    jobs, others = _jobs_and_others(node, work)
    if remaining and not is_late:
        return Step("draining", f"{named(remaining)} to {'stop' if others else 'end'}")
    if terms.then is Then.STAY:
        note = SettleNode(
            node=node.id,
            instance=node.instance,
            labels={LABEL_PHASE: DRAINED},
            cut_off=others,
            is_work_known=is_known,
            reason=f"{node.hostname} is drained ({terms.why}): {_state(others, view, jobs)}",
        )
        return Step("draining", "the leader to mark the node as drained", note)
    step = _exit(node, terms, remaining, moment)
    return replace(step, stage="draining") if remaining else step


def _is_work_known(view: View) -> bool:
    return view.work is not None and view.work.is_complete


def _state(remaining: tuple[str, ...], view: View, jobs: tuple[str, ...] = ()) -> str:
    """Say what still runs on a node that leaves or is drained, or that it is not known."""
    states = (
        f"{', '.join(remaining)} did not stop in time" if remaining else "",
        f"Swarm's drain does not stop jobs, so {', '.join(jobs)} may run on" if jobs else "",
    )
    empty = "the node is empty" if _is_work_known(view) else "it is not known what still ran"
    return ", and ".join(filter(None, states)) or empty


def _jobs_and_others(node: Node, work: Work) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the tasks that still run: those of jobs, and those told to stop."""
    running = work.still_on(node.id)
    jobs = [task for task in running if task.is_wanted and _is_job(task, work)]
    others = [task for task in running if task not in jobs]
    return tuple(map(work.name, jobs)), tuple(map(work.name, others))


def _is_job(task: Task, work: Work) -> bool:
    service = work.services.get(task.service)
    return service is not None and service.is_job


def _exit(node: Node, terms: Leaving, remaining: tuple[str, ...], moment: Moment) -> Step:
    """Remove the node and terminate its instance, even if tasks are still running."""
    view = moment.view
    if node.instance is None:
        return Step("leaving", "an operator to remove the node, which is not bound to an instance")
    if node.instance in view.notices.departed:
        return _removal(
            node,
            f"the agent on {node.hostname} reported that the node has left the swarm",
            by_force=True,
        )
    return _order(node, node.instance, remaining, moment) or _termination(
        node, node.instance, terms, remaining, moment
    )


def _removal(node: Node, reason: str, *, by_force: bool = False) -> Step:
    removal = RemoveNode(
        node=node.id,
        instance=node.instance,
        by_force=by_force,
        is_departed=True,
        reason=reason,
    )
    return Step("leaving", "the leader to remove the node", removal)


def _order(
    node: Node, instance: InstanceId, remaining: tuple[str, ...], moment: Moment
) -> Step | None:
    """Tell the node's agent to leave the swarm.

    Return None if the agent is not waiting for permission or takes too long to leave.
    """
    notices, at = moment.view.notices, moment.at
    first, last = notices.ordered.get(instance, (None, None))
    if first is not None and at - first >= _LEAVE_WITHIN:
        return None
    if last is not None and at - last < _ORDER_AGAIN:
        return Step("leaving", "the node's agent to leave the swarm")
    listener = notices.listeners.get(instance)
    if listener is None:
        return None
    if at >= listener.until:
        return Step("leaving", "the node's agent to ask again for permission to leave")
    order = OrderLeave(
        node=node.id,
        instance=instance,
        listener=listener,
        cut_off=remaining,
        is_work_known=_is_work_known(moment.view),
        reason=f"{node.hostname} may leave now: {_state(remaining, moment.view)}",
    )
    return Step("leaving", "the leader to tell the node's agent to leave", order)


def _termination(
    node: Node, instance: InstanceId, terms: Leaving, remaining: tuple[str, ...], moment: Moment
) -> Step:
    view = moment.view
    if terms.then is Then.AWS:
        return Step("leaving", "AWS to stop or hibernate the instance")
    known = view.instances.get(instance)
    if known is None or not known.runs:
        return Step("leaving", "Swarm to notice that the node's instance is gone")
    if not known.is_of(moment.policy.cluster):
        return Step("leaving", f"you to terminate {instance}, which lacks the tag {TAG_CLUSTER}")
    unknown = "" if _is_work_known(view) else "; it is not known what still ran"
    termination = TerminateInstance(
        instance=instance,
        cut_off=remaining,
        is_work_known=not unknown,
        reason=f"{node.hostname} is drained ({terms.why}), and its agent is not waiting for"
        f" permission to leave{unknown}",
    )
    return Step("leaving", "the leader to terminate the node's instance", termination)
