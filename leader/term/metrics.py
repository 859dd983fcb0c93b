"""The leader's Prometheus metrics, in a registry of their own.

Rule: label values are roles, codes and names of actions, never instances, keys or anything that a
requester chooses, so that their number stays small whatever arrives.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from leader.view.model import Node, View


class Metrics:
    """The metrics at `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.joins = Counter(
            "spotswarm_joins",
            "Join requests by answer and denial code",
            ["answer", "code"],
            registry=self.registry,
        )
        self.actions = Counter(
            "spotswarm_actions",
            "Actions carried out, by kind and outcome",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.notices = Counter(
            "spotswarm_notices",
            "Notices received, by source and kind",
            ["source", "kind"],
            registry=self.registry,
        )
        self.tasks_unmoved = Counter(
            "spotswarm_tasks_unmoved",
            "Tasks that were not moved off a leaving node in time and were left to Swarm's drain",
            registry=self.registry,
        )
        self.tasks_cut_off = Counter(
            "spotswarm_tasks_cut_off",
            "Tasks that still ran when their node had to leave",
            registry=self.registry,
        )
        self.leaving = Gauge(
            "spotswarm_nodes_leaving",
            "Nodes that join, leave or return, by phase",
            ["phase"],
            registry=self.registry,
        )
        self.penalties = Gauge(
            "spotswarm_pool_penalised",
            "Spot pools avoided because they were just interrupted",
            ["type", "zone"],
            registry=self.registry,
        )
        self.nodes = Gauge(
            "spotswarm_nodes",
            "Nodes of the swarm as last listed",
            ["role", "status"],
            registry=self.registry,
        )
        self.is_active = Gauge(
            "spotswarm_leader_active",
            "Whether this leader daemon is the active one",
            registry=self.registry,
        )
        self.inbox = Gauge(
            "spotswarm_inbox_events", "Events waiting for a decision", registry=self.registry
        )
        self.decide_seconds = Histogram(
            "spotswarm_decide_seconds",
            "Time one decision took",
            buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5),
            registry=self.registry,
        )
        self.check_seconds = Histogram(
            "spotswarm_check_seconds",
            "From receiving a join request to knowing who sent it",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )

    def show(self, nodes: Iterable[Node], view: View) -> None:
        """Set the gauges of nodes and pools."""
        self.nodes.clear()
        self.leaving.clear()
        for node in nodes:
            self.nodes.labels(node.role.value, node.status).inc()
            if node.phase:
                self.leaving.labels(node.phase).inc()
        self.penalties.clear()
        for kind, zone in view.pools.avoided:
            self.penalties.labels(kind, zone).set(1)
