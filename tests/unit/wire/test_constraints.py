"""The expected answers follow swarmkit; tests/contract/test_constraints.py asks a real engine."""

from dataclasses import dataclass, field

import pytest

from wire.constraints import is_about_label, parse, satisfies


@dataclass(frozen=True)
class Node:
    id: str = "n-1"
    hostname: str = "ip-10-0-0-1"
    role: str = "worker"
    status_address: str = "10.0.0.1"
    platform: tuple[str, str] = ("linux", "x86_64")
    labels: dict[str, str] = field(default_factory=lambda: {"disk": "ssd", "Zone": "a"})
    engine_labels: dict[str, str] = field(default_factory=lambda: {"gpu": "yes"})


@pytest.mark.parametrize(
    "constraint",
    [
        "node.id==n-1",
        "node.id == N-1",
        "Node.ID==n-1",
        "\tnode.id ==n-1 ",
        "node.hostname==IP-10-0-0-1",
        "node.role==Worker",
        "Node.Role==worker",
        "node.role!=manager",
        "node.platform.os==Linux",
        "NODE.PLATFORM.ARCH!=aarch64",
        "node.labels.disk==SSD",
        "Node.Labels.disk==ssd",
        "node.labels.Zone==A",
        "node.labels.zone!=a",
        "node.labels.absent!=x",
        "engine.labels.gpu==yes",
        "Engine.Labels.gpu!=no",
        "node.ip==10.0.0.1",
        "node.ip==10.0.0.0/24",
        "node.ip==10.0.0.9/24",
        "node.ip!=10.0.0.2",
        "node.ip!=2001:db8::/32",
    ],
)
def test_a_node_satisfies_a_constraint(constraint):
    assert satisfies(Node(), [constraint]) is True


@pytest.mark.parametrize(
    "constraint",
    [
        "node.id!=n-1",
        "node.role==manager",
        "node.labels.zone==a",
        "node.labels.Disk==ssd",
        "node.labels.absent==x",
        "node.ip==10.0.1.0/24",
        "node.ip!=10.0.0.1",
    ],
)
def test_a_node_does_not_satisfy_a_constraint(constraint):
    assert satisfies(Node(), [constraint]) is False


@pytest.mark.parametrize(
    "constraint",
    [
        "node.colour==red",
        "node.colour!=red",
        "node.label.disk==ssd",
        "node.labels.==x",
        "engine.labels.!=x",
        "node.ip==here",
        "node.ip!=10.0.0.0/255.255.255.0",
        "node.ip!=10.0.0.0/33",
    ],
)
def test_a_constraint_that_swarm_cannot_evaluate_excludes_every_node(constraint):
    assert satisfies(Node(), [constraint]) is False


@pytest.mark.parametrize(
    "constraint",
    [
        "",
        "node.id",
        "node.id=n-1",
        "node.id==",
        "node.id== ",
        "==n-1",
        "n==n-1",
        "1node.id==n-1",
        "node id==n-1",
        "node.id!=a==b",
        "node.id==a!=b",
        "node.labels.disk==größe",
        "node.labels.a/b==x",
    ],
)
def test_a_constraint_that_swarm_refuses_has_no_answer(constraint):
    assert parse(constraint) is None
    assert satisfies(Node(), ["node.id==n-1", constraint]) is None


def test_all_constraints_must_hold():
    assert satisfies(Node(), [])
    assert satisfies(Node(), ["node.id==n-1", "node.role==worker"])
    assert satisfies(Node(), ["node.id==n-1", "node.role==manager"]) is False


def test_a_node_without_a_known_address_is_in_no_network():
    assert satisfies(Node(status_address=""), ["node.ip==10.0.0.0/8"]) is False
    assert satisfies(Node(status_address=""), ["node.ip!=10.0.0.0/8"]) is True


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("node.labels.spotswarm.data == true", True),
        ("Node.Labels.spotswarm.data!=true", True),
        ("node.labels.spotswarm.database==true", False),
        ("node.labels.Spotswarm.data==true", False),
        ("engine.labels.spotswarm.data==true", False),
        ("node.labels.zone==spotswarm.data", False),
        ("node.labels.spotswarm.data", False),
    ],
)
def test_a_constraint_is_about_the_label_in_its_key(constraint, expected):
    assert is_about_label(constraint, "spotswarm.data") is expected
