"""The leader's Prometheus metrics, on a registry of their own.

Rule: labels are roles, codes and action names, never instances, keys or anything an asker
chose: their number must stay small whatever arrives.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """What `/metrics` shows."""

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
            "From taking a request to knowing who asks",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
