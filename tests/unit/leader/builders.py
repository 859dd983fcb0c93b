"""Short ways to say a node, an instance, an ask; every field can be said otherwise."""

from datetime import UTC, datetime, timedelta

from leader.settings import LeaderTable
from leader.view.ids import InstanceId, NodeId
from leader.view.model import Ask, Identity, Instance, Node, View
from wire.messages import Availability, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
POLICY = LeaderTable(secrets="file:/example").policy("demo")
SECOND = timedelta(seconds=1)


def instance(name="i-1", **said):
    fields = {
        "id": InstanceId(name),
        "state": "running",
        "lifecycle": "spot",
        "zone": "eu-central-1a",
        "type": "t3.small",
        "address": f"10.0.0.{name.rpartition('-')[2]}",
        "cluster": "demo",
        "role": "worker",
    }
    return Instance(**(fields | said))


def manager_instance(name="i-1", **said):
    return instance(name, **({"lifecycle": "on-demand", "role": "manager"} | said))


def node(name="n-1", **said):
    number = name.rpartition("-")[2]
    fields = {
        "id": NodeId(name),
        "hostname": f"ip-10-0-0-{number}",
        "role": Role.WORKER,
        "status": "ready",
        "availability": Availability.ACTIVE,
        "address": f"10.0.0.{number}",
        "created": NOW,
        "labels": {},
    }
    return Node(**(fields | said))


def manager_node(name="n-1", **said):
    return node(name, **({"role": Role.MANAGER, "reachability": "reachable"} | said))


def ask(who=None, role=Role.WORKER, mode="aws", nonce="a" * 32):
    return Ask(
        nonce=nonce,
        reply="b" * 32,
        key="key",
        role=role,
        opened_by=0,
        identity=Identity(mode, who or instance()),
    )


def view(*nodes, **said):
    fields = {"nodes": {known.id: known for known in nodes}, "nodes_at": NOW}
    return View(**(fields | said))
