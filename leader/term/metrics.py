"""The leader's Prometheus metrics, in their own registry.

Rule: label values come from small sets, such as roles, codes and action names. Never use instance
ids, keys or other values that a sender chooses. This keeps the number of time series small.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from leader.view.model import Node, View


class Metrics:
    """The metrics that the leader exports at `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.joins = Counter(
            "spotswarm_joins",
            "Join requests received, by answer and denial code",
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
            "Tasks that were not moved off a leaving node in time, so Swarm's drain stopped them",
            registry=self.registry,
        )
        self.tasks_cut_off = Counter(
            "spotswarm_tasks_cut_off",
            "Tasks that were still running when their node had to leave",
            registry=self.registry,
        )
        self.departures_unknown = Counter(
            "spotswarm_departures_unknown",
            "Nodes that had to leave while it was not known which tasks still ran on them",
            registry=self.registry,
        )
        self.faults = Counter(
            "spotswarm_faults",
            "Exceptions that were contained, by input path",
            ["path"],
            registry=self.registry,
        )
        self.leaving = Gauge(
            "spotswarm_nodes_leaving",
            "Nodes that are joining, leaving or returning, by phase",
            ["phase"],
            registry=self.registry,
        )
        self.penalties = Gauge(
            "spotswarm_pool_penalised",
            "Spot pools that are avoided because of a recent interruption",
            ["type", "zone"],
            registry=self.registry,
        )
        self.nodes = Gauge(
            "spotswarm_nodes",
            "Nodes in the last list of the swarm's nodes, by role and status",
            ["role", "status"],
            registry=self.registry,
        )
        self.refusals = Gauge(
            "spotswarm_refusals",
            "What the leader refuses to do until an operator looks into it; see `spotswarm status`",
            registry=self.registry,
        )
        self.tasks_pending = Gauge(
            "spotswarm_tasks_pending",
            "Tasks that no node has taken for 10 seconds or longer",
            registry=self.registry,
        )
        self.is_active = Gauge(
            "spotswarm_leader_active",
            "Whether this leader daemon is active (1) or not (0)",
            registry=self.registry,
        )
        self.inbox = Gauge(
            "spotswarm_inbox_events",
            "Events that are waiting for a decision",
            registry=self.registry,
        )
        self.flooded = Gauge(
            "spotswarm_broker_flooded",
            "Whether so many messages are dropped that somebody must be flooding the broker (1)",
            registry=self.registry,
        )
        self.connections_closed = Counter(
            "spotswarm_broker_connections_closed",
            "Connections to the broker that the leader closed, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.decide_seconds = Histogram(
            "spotswarm_decide_seconds",
            "Duration of one decision, in seconds",
            buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5),
            registry=self.registry,
        )
        self.check_seconds = Histogram(
            "spotswarm_check_seconds",
            "Time from receiving a join request to identifying its sender, in seconds",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )

    def follow_attention(self, read: Callable[[], Mapping[str, Any]]) -> None:
        """Let each scrape read what needs attention, as `leader.report.standing` reports it.

        `read` returns an empty mapping if this daemon is not leading.
        """
        self.refusals.set_function(lambda: len(read().get("refusals", ())))
        self.tasks_pending.set_function(
            lambda: sum(row["tasks"] for row in read().get("pending_tasks", ()))
        )

    def show(self, nodes: Iterable[Node], view: View) -> None:
        """Update the gauges for nodes and Spot pools."""
        self.nodes.clear()
        self.leaving.clear()
        for node in nodes:
            self.nodes.labels(node.role.value, node.status).inc()
            if node.phase:
                self.leaving.labels(node.phase).inc()
        self.penalties.clear()
        for kind, zone in view.pools.avoided:
            self.penalties.labels(kind, zone).set(1)
