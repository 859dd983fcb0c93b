"""Removes a node from the swarm: demotes and drains it, and terminates its instance.

Rules: the node's labels contain everything that the next leader needs to continue. A manager is
demoted first, but never if the managers would lose quorum. Deadlines apply even if some
tasks have not moved.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from leader.leaving.stages import Step, named
from leader.moving.fates import Fate, fate_of, to_move
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
from leader.view.terms import Leaving, Then, drain_by, leave_by, leaving_of
from leader.view.work import Work
from wire.labels import DRAINED, LABEL_PHASE
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
    unmoved = tuple(map(work.name, to_move(node.id, view, work)))
    if unmoved and not is_late:
        return Step("evacuating", f"{named(unmoved)} to be up elsewhere")
    ending = [task for task in work.on(node.id) if fate_of(task, work) is Fate.RUNS_ON]
    if ending and at < leave_by(terms, policy):
        return Step("evacuating", f"{named(map(work.name, ending))} to end")
    leaves = f"{node.hostname} is leaving ({terms.why})"
    if view.work is None:
        reason = f"{leaves}, and there is no time left to list its tasks"
    elif unmoved:
        reason = (
            f"{leaves} at {terms.deadline:%H:%M:%S} UTC, and there is no time left to move"
            f" {', '.join(unmoved)}"
        )
    else:
        reason = f"{leaves}, and every task that could be moved has been moved"
    drain = DrainNode(node=node.id, instance=node.instance, unmoved=unmoved, reason=reason)
    return Step("evacuating", "Swarm's drain", drain)


def _departure(node: Node, terms: Leaving, moment: Moment) -> Step:
    """Wait until the drained node is empty or time is up; the node then stays or leaves."""
    view = moment.view
    is_late = moment.at >= leave_by(terms, moment.policy)
    if view.work is None and not is_late:
        return Step("draining", "a list of the node's tasks")
    work = view.work or Work()
    remaining = tuple(map(work.name, work.still_on(node.id)))
    if remaining and not is_late:
        return Step("draining", f"{named(remaining)} to stop")
    if terms.then is Then.STAY:
        state = f"{', '.join(remaining)} did not stop in time" if remaining else "the node is empty"
        note = SettleNode(
            node=node.id,
            instance=node.instance,
            labels={LABEL_PHASE: DRAINED},
            cut_off=remaining,
            reason=f"{node.hostname} is drained ({terms.why}): {state}",
        )
        return Step("draining", "the leader to mark the node as drained", note)
    step = _exit(node, terms, remaining, moment)
    return replace(step, stage="draining") if remaining else step


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
        node, node.instance, terms, remaining, view
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
    state = f"{', '.join(remaining)} did not stop in time" if remaining else "the node is empty"
    order = OrderLeave(
        node=node.id,
        instance=instance,
        listener=listener,
        cut_off=remaining,
        reason=f"{node.hostname} may leave now: {state}",
    )
    return Step("leaving", "the leader to tell the node's agent to leave", order)


def _termination(
    node: Node, instance: InstanceId, terms: Leaving, remaining: tuple[str, ...], view: View
) -> Step:
    if terms.then is Then.AWS:
        return Step("leaving", "AWS to stop or hibernate the instance")
    known = view.instances.get(instance)
    if known is None or not known.runs:
        return Step("leaving", "Swarm to notice that the node's instance is gone")
    termination = TerminateInstance(
        instance=instance,
        cut_off=remaining,
        reason=f"{node.hostname} is drained ({terms.why}), and its agent is not waiting for"
        " permission to leave",
    )
    return Step("leaving", "the leader to terminate the node's instance", termination)
