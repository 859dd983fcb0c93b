"""Predicts where Swarm's scheduler will place a service's tasks.

Rule: never guess. If the leader cannot evaluate a constraint, `eligible` returns None, and the
service is not rebalanced.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heapreplace

from leader.moving.room import Room
from leader.view.ids import NodeId
from leader.view.model import Node
from leader.view.work import Service, Work
from wire.constraints import satisfies


def eligible(nodes: Iterable[Node], constraints: Sequence[str]) -> tuple[NodeId, ...] | None:
    """Return the nodes that can take a task now, or None if a constraint cannot be evaluated."""
    able = []
    for node in nodes:
        if not node.takes_tasks:
            continue
        is_allowed = satisfies(node, constraints)
        if is_allowed is None:
            return None
        if is_allowed:
            able.append(node.id)
    return tuple(able)


def imbalance(counts: Mapping[NodeId, int]) -> int:
    """Return the smallest number of moves that makes the task counts differ by at most one."""
    if not counts:
        return 0
    whole, rest = divmod(sum(counts.values()), len(counts))
    fullest = sorted(counts.values(), reverse=True)
    return sum(
        max(0, count - (whole + 1 if place < rest else whole))
        for place, count in enumerate(fullest)
    )


def scaled_up(counts: Mapping[NodeId, int], more: int) -> dict[NodeId, int]:
    """Return the task counts after adding tasks one by one to the node with the fewest tasks."""
    heap = [(count, node) for node, count in counts.items()]
    heapify(heap)
    for _ in range(more):
        count, node = heap[0]
        heapreplace(heap, (count + 1, node))
    return {node: count for count, node in heap}


def scaled_down(counts: Mapping[NodeId, int], fewer: int) -> dict[NodeId, int]:
    """Return the task counts after removing tasks one by one from the node with the most tasks."""
    heap = [(-count, node) for node, count in counts.items()]
    heapify(heap)
    for _ in range(fewer):
        count, node = heap[0]
        heapreplace(heap, (count + 1, node))
    return {node: -count for count, node in heap}


def has_room(node: Node, service: Service, work: Work) -> bool:
    """Whether a node can run one more task of a service, beside the tasks that it has."""
    return Room({node.id: node}, work).obstacle(node, service) is None
