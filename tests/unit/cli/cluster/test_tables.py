from io import StringIO

import pytest
from rich.console import Console

from cli.cluster import drain, explain, joins, leaving, nodes, rebalance, return_node, status

NODE = {
    "hostname": "ip-10-198-100-132",
    "role": "manager",
    "status": "disconnected",
    "availability": "active",
    "instance": "i-0123456789abcdef0",
    "lifecycle": "on-demand",
    "zone": "ap-southeast-3a",
    "leader": True,
}
JOIN = {
    "at": "2026-11-23T20:00:00+00:00",
    "instance": "i-0123456789abcdef0",
    "role": "manager",
    "answer": "denied",
    "code": "managers-complete",
    "reason": "there are 3 managers and 3 are wanted; remove a lost one first: docker node demote"
    " [not a style], docker node rm",
}
NOTICE = {
    "instance": "i-0123456789abcdef0",
    "kind": "interruption",
    "source": "queue",
    "deadline": "2026-11-23T20:02:00+00:00",
}
FAULT = {
    "path": "rows of nodes",
    "cause": "KeyError at leader/edges/docker/swarm.py:300",
    "count": 7,
    "seconds_ago": 12.4,
}
LEAVING = {
    "hostname": "ip-10-198-100-132.ap-southeast-3.compute.internal",
    "stage": "evacuating",
    "why": "interruption",
    "then": "terminate",
    "seconds_left": 118.4,
    "tasks": [{}] * 120,
    "tasks_known": True,
    "waits_for": "storefront-production_web.117 and 3 more [not a style] to be up elsewhere; the"
    " last step failed 3x: spotswarm explain ip-10-198-100-132",
}
DRAIN = {
    "node": "n-1",
    "hostname": "ip-10-198-100-132.ap-southeast-3.compute.internal",
    "instance": "i-0123456789abcdef0",
    "deadline": "2026-11-23T20:01:30.000+00:00",
    "is_demoted": True,
    "tasks": [
        {
            "name": "storefront-production_web.117",
            "state": "running",
            "fate": "runs-on",
            "why": "another starts elsewhere first; no health check: Swarm calls its tasks up"
            " when the process starts [x]",
        }
    ],
    "warnings": ["pinned has nowhere to go: no other node that satisfies [x] takes tasks " * 2],
}
MANY = {f"ip-10-198-100-{number}": 3 + number % 3 for number in range(200)}


def service_plan(stage, **fields):
    return {
        "name": "storefront-production_web",
        "stage": stage,
        "before": MANY,
        "after": MANY,
        "moves": 7,
        "hindrance": "",
    } | fields


DECISION = {
    "at": "2026-11-23T20:00:00+00:00",
    "action": "ActivateNode",
    "cause": "action-123456",
    "outcome": "failed: 10.0.0.1:7946 does not respond; open ports 7946/tcp and 4789/udp [x]",
    "reason": "ip-10-0-0-1 is labelled and its gossip port answers",
}
INSTANCE = {
    "instance": "i-0123456789abcdef0",
    "state": "shutting-down",
    "lifecycle": "on-demand",
    "type": "m7gd.16xlarge",
    "address": "10.198.100.132",
    "role": None,
}
STATUS = {
    "cluster": "demo",
    "stance": "leading",
    "reason": "this engine is the Raft leader",
    "problem": "reading the secrets below /spotswarm/demo/leader: AWS says AccessDenied; " * 3,
    "nodes": 6,
    "by_status": {"managers_ready": 3, "workers_ready": 2, "workers_down": 1},
    "joining": 1,
    "managers_wanted": 3,
    "grants_outstanding": ["i-0123456789abcdef0"] * 9,
    "unbound": [],
    "healthy": False,
    "identity": "aws",
    "version": "0.1.0",
}


def shown(renderable):
    out = StringIO()
    Console(file=out, width=100).print(renderable)
    return out.getvalue()


@pytest.mark.parametrize(
    ("renderable", "words"),
    [
        (nodes.table([NODE]), ["ip-10-198-100-132 *", "i-0123456789abcdef0", "ap-southeast-3a"]),
        (
            nodes.table([NODE | {"availability": "drain", "phase": "returning"}]),
            ["returning", "ip-10-198-100-132 *", "i-0123456789abcdef0", "ap-southeast-3a"],
        ),
        (
            nodes.table([NODE | {"hostname": LEAVING["hostname"]}]),
            ["ip-10-198-100-132 *"],
        ),
        (
            leaving.table([LEAVING, LEAVING | {"seconds_left": None, "tasks_known": False}]),
            ["ip-10-198-100-132", "118 s", "120", "[not a style]", "?"],
        ),
        (
            drain.plan_table(DRAIN),
            ["20:01:30 UTC", "keeps running", "a worker first", "[x]", "warning"],
        ),
        (drain.plan_table(DRAIN | {"tasks": []}), ["No tasks are running on the node."]),
        (
            rebalance.plan_table(
                [
                    service_plan("uneven"),
                    service_plan("even"),
                    service_plan(
                        "left alone", hindrance="it limits its [tasks] on a node", moves=0
                    ),
                    service_plan("moving", before={}, after={}, moves=0),
                ]
            ),
            ["66x5, 67x4", "it limits its [tasks]", "1 service is spread evenly", "7"],
        ),
        (
            rebalance.plan_table(
                [service_plan("stuck", before={"a": 1, "b": 4}, after={"a": 3, "b": 2})]
            ),
            ["4/1", "3/2", "stuck"],
        ),
        (
            return_node.plan_text(
                {
                    "hostname": "a.b",
                    "phase": "drained",
                    "is_promoted": True,
                    "held_by": ["web"],
                    "warnings": [],
                }
            ),
            ["a (drained)", "becomes a manager again", "keeps web off the node"],
        ),
        (
            drain.remaining_tasks(
                {
                    "tasks": [
                        {
                            "name": "web.1",
                            "state": "running",
                            "manner": "never",
                            "replaced": False,
                            "is_wanted": False,
                        }
                    ]
                }
            ),
            ["web.1", "stopping"],
        ),
        (
            status.summary(
                STATUS
                | {
                    "leaving": 2,
                    "notices": [NOTICE] * 5,
                    "penalties": [{"type": "t3.small", "zone": "eu-central-1a"}],
                }
            ),
            ["interruption of i-0123456789abcdef0", "and 2 more", "t3.small in eu-central-1a"],
        ),
        (
            status.summary(STATUS | {"faults": [FAULT] * 5}),
            ["7 times, last 12 s ago, rows of nodes: KeyError", "and 2 more", "journalctl"],
        ),
        (joins.table([JOIN]), ["managers-complete", "20:00:00", "[not a style]"]),
        (status.summary(STATUS), ["leading", "AccessDenied", "2 workers ready"]),
        (
            explain.explanation(
                {
                    "nodes": [NODE],
                    "instances": [INSTANCE],
                    "notices": [NOTICE],
                    "joins": [JOIN],
                    "decisions": [DECISION],
                    "service_changes": [DECISION | {"action": "ChangeService"}],
                }
            ),
            [
                "Service changes made because of this node",
                "ChangeService",
                "AWS has announced",
                "at 20:02:00 UTC (from queue)",
                "ActivateNode",
                "action-123456",
                "m7gd.16xlarge",
            ],
        ),
    ],
)
def test_tables_fit_100_columns_and_lose_nothing(renderable, words):
    text = shown(renderable)

    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    for word in words:
        assert word in text


def test_an_empty_cluster_still_shows_its_columns():
    assert "HOSTNAME" in shown(nodes.table([]))


def test_an_empty_list_is_a_sentence():
    assert "No nodes are leaving" in shown(leaving.table([]))
    assert "0 services are spread evenly" in shown(rebalance.plan_table([]))
