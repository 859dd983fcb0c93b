"""Determines on which nodes the replacements of a moving service fail again and again.

Rule: one node always remains. A service that fails on every node is not helped by moving.
"""

from collections import Counter
from collections.abc import Container

from leader.moving.loan import Loan
from leader.moving.placement import eligible
from leader.view.ids import NodeId
from leader.view.model import View
from leader.view.work import Service, Work


def failing_nodes(
    service: Service, loan: Loan, view: View, work: Work, *, times: int, leaving: Container[NodeId]
) -> tuple[NodeId, ...]:
    """Return the nodes where replacements failed at least this often since the move began.

    Nodes that are leaving, or that the service is kept off already, are left out.
    """
    failures = Counter(
        task.node
        for task in work.of_service(service.id)
        if task.is_broken and task.node is not None and task.created >= loan.since
    )
    failing = tuple(
        name
        for name, count in sorted(failures.items())
        if count >= times
        and name in view.nodes
        and name not in loan.away_from
        and name not in leaving
    )
    able = eligible(view.nodes.values(), service.constraints) if failing else ()
    return () if able is None or set(able) <= set(failing) else failing


def is_failing(name: NodeId, view: View) -> bool:
    """Whether a node that we keep a service off stays in the swarm: replacements failed there."""
    node = view.nodes.get(name)
    return node is not None and not node.phase
