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
        self.notices = Counter(
            "spotswarm_notices",
            "Announcements heard, by path and kind",
            ["source", "kind"],
            registry=self.registry,
        )
        self.tasks_unmoved = Counter(
            "spotswarm_tasks_unmoved",
            "Tasks that were to be moved off a leaving node and were left to Swarm's drain",
            registry=self.registry,
        )
        self.tasks_cut_off = Counter(
            "spotswarm_tasks_cut_off",
            "Tasks that still ran when their node had to go",
            registry=self.registry,
        )
        self.leaving = Gauge(
            "spotswarm_nodes_leaving",
            "Nodes by phase between joining and leaving",
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
            "From taking a request to knowing who asks",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
