"""Parses and evaluates placement constraints as Swarm does, for the leader and the command line.

Rule: give the same results as swarmkit's `manager/constraint/constraint.go`. Keys and values are
not case-sensitive, but label names are. An unknown key excludes every node. If Swarm would reject
an expression, the result is None.
https://docs.docker.com/reference/cli/docker/service/create/#constraint
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from typing import Final, NamedTuple, Protocol

_OPERATORS: Final = ("==", "!=")
_KEY: Final = re.compile(r"[a-z_][a-z0-9\-_.]+", re.IGNORECASE)
_VALUE: Final = re.compile(r"[a-z0-9:\-_ \t\n\f\r.*()?+\[\]\\^$|/]+", re.IGNORECASE)
_NODE_LABELS: Final = "node.labels."
_ENGINE_LABELS: Final = "engine.labels."


class Candidate(Protocol):
    """The node properties that constraints can use."""

    @property
    def id(self) -> str:
        """The node's id in the swarm."""

    @property
    def hostname(self) -> str:
        """The node's host name, which is empty until the node's first report."""

    @property
    def role(self) -> str:
        """The node's role, `worker` or `manager`."""

    @property
    def status_address(self) -> str:
        """The node's `Status.Addr`, which can be 0.0.0.0 for a manager."""

    @property
    def platform(self) -> tuple[str, str]:
        """The node's operating system and architecture."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The node's Swarm labels."""

    @property
    def engine_labels(self) -> Mapping[str, str]:
        """The labels in the node's Docker Engine configuration."""


class Constraint(NamedTuple):
    """A parsed constraint expression."""

    key: str
    is_equal: bool
    value: str


@lru_cache(maxsize=1024)
def parse(text: str) -> Constraint | None:
    """Parse one expression, or return None if Swarm would reject it."""
    # Swarm searches the entire expression for "==" first.
    operator = next((operator for operator in _OPERATORS if operator in text), None)
    if operator is None:
        return None
    key, value = (part.strip() for part in text.split(operator, 1))
    if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
        return None
    return Constraint(key, operator == "==", value)


def is_about_label(text: str, label: str) -> bool:
    """Return whether an expression compares this node label with a value."""
    parsed = parse(text)
    if parsed is None or not parsed.key.lower().startswith(_NODE_LABELS):
        return False
    return parsed.key[len(_NODE_LABELS) :] == label


def satisfies(node: Candidate, constraints: Iterable[str]) -> bool | None:
    """Return whether a node meets all constraints, or None if Swarm would reject any of them."""
    parsed = [parse(text) for text in constraints]
    if None in parsed:
        return None
    return all(_holds(node, constraint) for constraint in parsed if constraint is not None)


def _holds(node: Candidate, constraint: Constraint) -> bool:
    key = constraint.key
    match key.lower():
        case "node.id":
            actual = node.id
        case "node.hostname":
            actual = node.hostname
        case "node.ip":
            return _is_in(node.status_address, constraint)
        case "node.role":
            actual = node.role
        case "node.platform.os":
            actual = node.platform[0]
        case "node.platform.arch":
            actual = node.platform[1]
        case lower if lower.startswith(_NODE_LABELS) and lower != _NODE_LABELS:
            actual = node.labels.get(key[len(_NODE_LABELS) :], "")
        case lower if lower.startswith(_ENGINE_LABELS) and lower != _ENGINE_LABELS:
            actual = node.engine_labels.get(key[len(_ENGINE_LABELS) :], "")
        case _:
            return False
    return (actual.lower() == constraint.value.lower()) is constraint.is_equal


def _is_in(address: str, constraint: Constraint) -> bool:
    """Return whether an address meets a `node.ip` constraint.

    Return False if the constraint's network is invalid.
    """
    _, slash, prefix = constraint.value.partition("/")
    # Python would also accept a netmask after the slash.
    if slash and not prefix.isdecimal():
        return False
    try:
        network = ip_interface(constraint.value).network
    except ValueError:
        return False
    try:
        is_inside = ip_address(address) in network
    except ValueError:
        is_inside = False
    return is_inside is constraint.is_equal
