"""Decides which nodes are paused, which begin to leave, and which begin to return.

The decisions depend on notices from AWS and the operator's requests. Rules: a node with an
interruption notice always leaves. A rebalance recommendation is only a hint: in one published test,
21 of 30 recommendations were not followed by an interruption. A node with such a hint is paused,
and leaves when a replacement can take tasks. At most half of the workers may be paused because of
hints.
"""

from collections.abc import Iterator
from typing import Final

from leader.leaving.stages import Step, start_leaving
from leader.view.actions import Action, ActivateNode, PauseNode, Refuse, ReplaceInstance
from leader.view.ids import InstanceId
from leader.view.model import Node, View, Wish
from leader.view.moment import Moment
from leader.view.notices import NOTICE, Notice
from leader.view.terms import Leaving, Then, is_taken, leaving_of
from wire.labels import (
    DRAINED,
    HINTED,
    LABEL_DEADLINE,
    LABEL_OTHERS,
    LABEL_PHASE,
    LABEL_SINCE,
    LABEL_WHY,
    LEAVING,
    RETURNING,
    time_text,
)
from wire.messages import Availability, Role

_MOST_DIGITS: Final = 10


def start(moment: Moment) -> Iterator[Action]:
    """Yield the actions required by operator requests, notices and rebalance recommendations."""
    view = moment.view
    for name in view.moves.wishes:
        step = wish_step(view.nodes[name], moment) if name in view.nodes else None
        if step is not None and step.action is not None:
            yield step.action
    hinted = [node for node in view.nodes.values() if node.phase == HINTED]
    if not view.notices.standing and not hinted:
        return
    serving = serving_workers(view)
    room = _room_for_hints(view, serving)
    for node in view.nodes.values():
        notices = view.notices.standing.get(node.instance, ()) if node.instance else ()
        by_kind: dict[str, Notice] = {notice.kind: notice for notice in notices}
        if node.status == "down" or (not notices and node.phase != HINTED):
            continue
        if "interruption" in by_kind:
            yield from _interrupted(node, by_kind["interruption"], moment)
        elif "maintenance" in by_kind and _is_near(by_kind["maintenance"], moment):
            yield from _maintained(node, by_kind["maintenance"], moment)
        elif node.phase == HINTED:
            step = hinted_step(node, moment, serving)
            if step.action is not None:
                yield step.action
        elif room and "rebalance" in by_kind and _may_be_hinted(node, view):
            for action in _hinted(node, by_kind["rebalance"], serving, moment):
                room -= 1
                yield action


def wish_step(node: Node, moment: Moment) -> Step | None:
    """Return the step that the operator's request calls for, or None if no request is pending."""
    wish = moment.view.moves.wishes.get(node.id)
    if wish is None:
        return None
    if wish.want == "drain" and node.phase != LEAVING:
        pause = start_leaving(node, wished_terms(wish), reason="the operator has requested a drain")
        return Step("evacuating", "the leader to pause the node", pause)
    if (
        wish.want == "return"
        and node.phase in {LEAVING, DRAINED, HINTED}
        and not is_taken(node, moment.view)
    ):
        pause = PauseNode(
            node=node.id,
            instance=node.instance,
            labels={LABEL_PHASE: RETURNING},
            reason="the operator wants the node to return; first, the leader removes the"
            " constraints that keep tasks off the node",
        )
        return Step("returning", "the leader to start the return", pause)
    return None


def wished_terms(wish: Wish) -> Leaving:
    """Return the terms (such as the deadline) of a drain requested by the operator."""
    return Leaving("operator", wish.at, wish.at + wish.within, Then.STAY)


def _interrupted(node: Node, notice: Notice, moment: Moment) -> Iterator[PauseNode]:
    deadline = notice.deadline or notice.announced_at + NOTICE
    then = Then.AWS if notice.action in {"stop", "hibernate"} else Then.TERMINATE
    since = moment.at
    if node.phase == LEAVING:
        terms = leaving_of(node)
        if terms.then is then and terms.deadline <= deadline:
            return
        if terms.then is not Then.STAY or terms.deadline >= moment.at:
            since, deadline = terms.since, min(terms.deadline, deadline)
    yield start_leaving(
        node,
        Leaving("interruption", since, deadline, then),
        reason=f"AWS will {notice.action or 'terminate'} the instance at {deadline:%H:%M:%S} UTC"
        f" (reported by the {notice.source})",
    )


def _is_near(notice: Notice, moment: Moment) -> bool:
    return (
        notice.deadline is not None
        and notice.deadline - moment.at <= moment.policy.maintenance_lead
    )


def _maintained(node: Node, notice: Notice, moment: Moment) -> Iterator[Action]:
    assert notice.deadline is not None
    if node.role is Role.MANAGER:
        yield Refuse(
            about=f"maintenance of {node.hostname}",
            nodes=(node.id,),
            instances=(notice.instance,),
            reason=f"AWS has scheduled {notice.action} for manager {node.hostname} at"
            f" {notice.deadline:%Y-%m-%d %H:%M} UTC; launch another manager, and then run"
            f" `spotswarm drain {node.hostname}`",
        )
        return
    if node.phase == LEAVING:
        return
    yield start_leaving(
        node,
        Leaving("maintenance", moment.at, max(notice.deadline, moment.at + NOTICE), Then.TERMINATE),
        reason=f"AWS has scheduled {notice.action} at {notice.deadline:%Y-%m-%d %H:%M} UTC",
    )


def serving_workers(view: View) -> int:
    """Return how many workers can take tasks."""
    return sum(1 for node in view.nodes.values() if node.role is Role.WORKER and node.takes_tasks)


def _room_for_hints(view: View, serving: int) -> int:
    """Return how many more nodes may be paused because of a rebalance recommendation.

    A node that is being paused counts as paused.
    """
    paused = sum(1 for node in view.nodes.values() if node.phase == HINTED)
    under_way = sum(
        1
        for node in view.nodes.values()
        if node.instance is not None
        and node.takes_tasks
        and view.is_changing(node.id)
        and view.notices.of(node.instance, "rebalance") is not None
    )
    return max(0, (serving + paused) // 2 - paused - under_way)


def _may_be_hinted(node: Node, view: View) -> bool:
    return (
        node.role is Role.WORKER
        and node.phase == ""
        and node.takes_tasks
        and not view.is_changing(node.id)
    )


def _hinted(node: Node, notice: Notice, serving: int, moment: Moment) -> Iterator[PauseNode]:
    at, patience = moment.at, moment.policy.hint_patience
    if at - notice.announced_at >= patience:
        return
    yield PauseNode(
        node=node.id,
        instance=node.instance,
        labels={
            LABEL_PHASE: HINTED,
            LABEL_WHY: "rebalance",
            LABEL_SINCE: time_text(at),
            LABEL_DEADLINE: time_text(at + patience),
            LABEL_OTHERS: str(serving - 1),
        },
        reason="AWS has sent a rebalance recommendation; the node takes no new tasks until it is"
        f" replaced, or until {patience} passes without an interruption notice",
    )


def hinted_step(node: Node, moment: Moment, serving: int) -> Step:
    """Return the next step for a node with a rebalance recommendation.

    The node leaves when a replacement worker can take tasks.
    """
    view, at = moment.view, moment.at
    deadline = leaving_of(node).deadline
    waits_for = f"a replacement worker, until {deadline:%H:%M:%S} UTC at the latest"
    if node.status == "down":
        return Step("hinted", "the node to be Ready again")
    others = node.labels.get(LABEL_OTHERS, "")
    # A longer number would exceed Python's limit for the conversion of text.
    if others.isdecimal() and len(others) < _MOST_DIGITS and serving > int(others):
        terms = Leaving("rebalance", at, at + moment.policy.drain_within, Then.TERMINATE)
        pause = start_leaving(node, terms, reason="the node's replacement is taking tasks")
        return Step(
            "hinted", "the leader to empty the node, as its replacement is taking tasks", pause
        )
    if at >= deadline:
        is_drained = node.availability is Availability.DRAIN
        stays = "; an operator has drained the node, so it stays drained" if is_drained else ""
        activation = ActivateNode(
            node=node.id,
            instance=node.instance,
            is_drained=is_drained,
            reason="no interruption notice followed the rebalance recommendation within"
            f" {moment.policy.hint_patience}{stays}",
        )
        return Step("hinted", "the node's activation", activation)
    if node.instance is not None and node.instance not in view.notices.replacements:
        return Step("hinted", waits_for, _replacement(node, node.instance, view))
    return Step("hinted", waits_for)


def _replacement(node: Node, instance: InstanceId, view: View) -> ReplaceInstance:
    known = view.instances.get(instance)
    avoid = {*view.pools.avoided, *([known.pool] if known else [])}
    return ReplaceInstance(
        instance=instance,
        avoid=tuple(sorted(avoid)),
        reason=f"AWS may interrupt {node.hostname}, so a replacement should start before it leaves",
    )
