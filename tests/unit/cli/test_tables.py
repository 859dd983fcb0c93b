from io import StringIO

import pytest
from rich.console import Console

from cli import tables

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
DECISION = {
    "at": "2026-11-23T20:00:00+00:00",
    "action": "ActivateNode",
    "cause": "action-123456",
    "outcome": "failed: 10.0.0.1:7946 does not answer: open 7946/tcp+udp and 4789/udp [x]",
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
        (tables.nodes([NODE]), ["ip-10-198-100-132 *", "i-0123456789abcdef0", "ap-southeast-3a"]),
        (tables.joins([JOIN]), ["managers-complete", "20:00:00", "[not a style]"]),
        (tables.status(STATUS), ["leading", "AccessDenied", "2 workers ready"]),
        (
            tables.explanation(
                {"nodes": [NODE], "instances": [INSTANCE], "joins": [JOIN], "decisions": [DECISION]}
            ),
            ["ActivateNode", "action-123456", "m7gd.16xlarge"],
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
    assert "HOSTNAME" in shown(tables.nodes([]))
