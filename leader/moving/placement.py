"""Where Swarm may place a service's tasks, and where it does: its scheduler's rules, as values.

Rule: what is not understood here (an unknown constraint, a preference) makes no guess: the answer
is None, and the service is left alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heapreplace

from leader.view.ids import NodeId
from leader.view.model import Node
from leader.view.work import Service
from wire.constraints import satisfies


def eligible(nodes: Iterable[Node], constraints: Sequence[str]) -> tuple[NodeId, ...] | None:
    """The nodes that may take a task now; None if a constraint is not understood."""
    found = []
    for node in nodes:
        if not node.takes_tasks:
            continue
        may = satisfies(node, constraints)
        if may is None:
            return None
        if may:
            found.append(node.id)
    return tuple(found)


def imbalance(counts: Mapping[NodeId, int]) -> int:
    """The least number of tasks to move so that no two nodes differ by more than one."""
    if not counts:
        return 0
    whole, rest = divmod(sum(counts.values()), len(counts))
    fullest = sorted(counts.values(), reverse=True)
    return sum(
        max(0, count - (whole + 1 if place < rest else whole))
        for place, count in enumerate(fullest)
    )


def scaled_up(counts: Mapping[NodeId, int], more: int) -> dict[NodeId, int]:
    """Counts after Swarm placed so many more: each on the node with the fewest of the service."""
    heap = [(count, node) for node, count in counts.items()]
    heapify(heap)
    for _ in range(more):
        count, node = heap[0]
        heapreplace(heap, (count + 1, node))
    return {node: count for count, node in heap}


def scaled_down(counts: Mapping[NodeId, int], fewer: int) -> dict[NodeId, int]:
    """Counts after Swarm removed so many: each from the node with the most of the service."""
    heap = [(-count, node) for node, count in counts.items()]
    heapify(heap)
    for _ in range(fewer):
        count, node = heap[0]
        heapreplace(heap, (count + 1, node))
    return {node: -count for count, node in heap}


def has_room(node: Node, service: Service, reserved: tuple[int, int]) -> bool:
    """Whether a node can take one task more of a service; `reserved` by what it runs."""
    cpu, memory = reserved
    return (not service.cpu or node.cpu - cpu >= service.cpu) and (
        not service.memory or node.memory - memory >= service.memory
    )
