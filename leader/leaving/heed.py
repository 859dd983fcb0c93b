"""What is made of announcements and of the operator's wishes: which nodes begin to leave.

Rules: an interruption is an order, a rebalance recommendation a weak hint (of one published 30, 21
were followed by nothing): a hinted node is paused, and leaves only when its replacement is there.
Hints never pause more than half of the workers.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.leaving.steps import pause
from leader.view.actions import Action, ActivateNode, PauseNode, Refuse, ReplaceInstance
from leader.view.model import Node, Policy, View
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
from wire.messages import Role


def heed(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    """Nodes that begin to leave, are paused, or come back."""
    yield from _wishes(view, cause)
    hinted = [node for node in view.nodes.values() if node.phase == HINTED]
    if not view.market.notices and not hinted:
        return
    serving = _serving(view)
    room = _room(view, serving)
    for node in view.nodes.values():
        notices = view.market.notices.get(node.instance, ()) if node.instance else ()
        by_kind: dict[str, Notice] = {notice.kind: notice for notice in notices}
        if node.status == "down" or (not notices and node.phase != HINTED):
            continue
        if "interruption" in by_kind:
            yield from _interrupted(node, by_kind["interruption"], cause, at)
        elif "maintenance" in by_kind and _is_near(by_kind["maintenance"], policy, at):
            yield from _maintained(node, by_kind["maintenance"], cause, at)
        elif node.phase == HINTED:
            yield from _hinted(node, view, policy, serving, cause=cause, at=at)
        elif room and "rebalance" in by_kind and _may_be_hinted(node, view):
            notice = by_kind["rebalance"]
            for action in _hint(node, notice, policy, serving, cause=cause, at=at):
                room -= 1
                yield action


def _wishes(view: View, cause: str) -> Iterator[Action]:
    for name, wish in view.moves.wishes.items():
        node = view.nodes.get(name)
        if node is None:
            continue
        if wish.want == "drain" and node.phase != LEAVING:
            leaving = Leaving("operator", wish.at, wish.at + wish.within, Then.STAY)
            yield pause(node, leaving, reason="the operator drains it", cause=cause)
        elif (
            wish.want == "return"
            and node.phase in {LEAVING, DRAINED, HINTED}
            and not is_taken(node, view)
        ):
            yield PauseNode(
                node=node.id,
                instance=node.instance,
                labels={LABEL_PHASE: RETURNING},
                reason="the operator wants it back: first all that keeps tasks from it goes",
                cause=cause,
            )


def _interrupted(node: Node, notice: Notice, cause: str, at: datetime) -> Iterator[PauseNode]:
    deadline = notice.deadline or notice.told + NOTICE
    then = Then.AWS if notice.action in {"stop", "hibernate"} else Then.TERMINATE
    since = at
    if node.phase == LEAVING:
        held = leaving_of(node)
        if held.then is then and held.deadline <= deadline:
            return
        since, deadline = held.since, min(held.deadline, deadline)
        if held.then is Then.STAY and held.deadline < at:
            since, deadline = at, notice.deadline or notice.told + NOTICE
    yield pause(
        node,
        Leaving("interruption", since, deadline, then),
        reason=f"AWS will {notice.action or 'terminate'} it at {deadline:%H:%M:%S} UTC"
        f" (told by the {notice.source})",
        cause=cause,
    )


def _is_near(notice: Notice, policy: Policy, at: datetime) -> bool:
    return notice.deadline is not None and notice.deadline - at <= policy.maintenance_lead


def _maintained(node: Node, notice: Notice, cause: str, at: datetime) -> Iterator[Action]:
    assert notice.deadline is not None
    if node.role is Role.MANAGER:
        yield Refuse(
            about=f"maintenance of {node.hostname}",
            reason=f"AWS plans {notice.action} of manager {node.hostname} at"
            f" {notice.deadline:%Y-%m-%d %H:%M} UTC: launch another manager, then"
            f" spotswarm drain {node.hostname}",
            cause=cause,
        )
        return
    if node.phase == LEAVING:
        return
    yield pause(
        node,
        Leaving("maintenance", at, max(notice.deadline, at + NOTICE), Then.TERMINATE),
        reason=f"AWS plans {notice.action} at {notice.deadline:%Y-%m-%d %H:%M} UTC",
        cause=cause,
    )


def _serving(view: View) -> int:
    return sum(1 for node in view.nodes.values() if node.role is Role.WORKER and node.takes_tasks)


def _room(view: View, serving: int) -> int:
    """How many more nodes hints may pause; one that is just being paused counts as paused."""
    paused = sum(1 for node in view.nodes.values() if node.phase == HINTED)
    under_way = sum(
        1
        for node in view.nodes.values()
        if node.instance is not None
        and node.takes_tasks
        and f"node {node.id}" in view.in_flight
        and view.market.notice(node.instance, "rebalance") is not None
    )
    return max(0, (serving + paused) // 2 - paused - under_way)


def _may_be_hinted(node: Node, view: View) -> bool:
    return (
        node.role is Role.WORKER
        and node.phase == ""
        and node.takes_tasks
        and f"node {node.id}" not in view.in_flight
    )


def _hint(
    node: Node, notice: Notice, policy: Policy, serving: int, *, cause: str, at: datetime
) -> Iterator[PauseNode]:
    if at - notice.told >= policy.hint_patience:
        return
    yield PauseNode(
        node=node.id,
        instance=node.instance,
        labels={
            LABEL_PHASE: HINTED,
            LABEL_WHY: "rebalance",
            LABEL_SINCE: time_text(at),
            LABEL_DEADLINE: time_text(at + policy.hint_patience),
            LABEL_OTHERS: str(serving - 1),
        },
        reason="AWS says that it may be taken: no new tasks until there is a replacement,"
        " or nothing comes of it",
        cause=cause,
    )


def _hinted(
    node: Node, view: View, policy: Policy, serving: int, *, cause: str, at: datetime
) -> Iterator[Action]:
    hint = leaving_of(node)
    instance = node.instance
    others = node.labels.get(LABEL_OTHERS, "")
    if others.isdecimal() and serving > int(others):
        yield pause(
            node,
            Leaving("rebalance", at, at + policy.drain_within, Then.TERMINATE),
            reason="its replacement takes tasks",
            cause=cause,
        )
    elif at >= hint.deadline:
        yield ActivateNode(
            node=node.id,
            instance=instance,
            reason=f"no notice followed the hint within {policy.hint_patience}",
            cause=cause,
        )
    elif instance is not None and instance not in view.market.replacements:
        known = view.instances.get(instance)
        avoid = {*view.market.penalties, *([known.pool] if known else [])}
        yield ReplaceInstance(
            instance=instance,
            avoid=tuple(sorted(avoid)),
            reason=f"AWS may take {node.hostname}; capacity first, then it leaves",
            cause=cause,
        )
