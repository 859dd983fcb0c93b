"""Real things for the contract tests: Redis, Docker engines, and moto as a server.

Nothing is mocked and nothing is skipped: a program that is missing fails the test with its
name. Everything started here is ended by its own pid, in networks and directories of its own.
`fixtures/` has them, a module for each kind.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "fixtures"))

from cloud import aws, cloud
from clusters import another_cluster, broker, brokers, cluster, standing
from connections import closed_connections
from deployments import deployment
from engines import engines, host_engine, machines
from groups import group_of, place_of
from instances import files, imds
from seat import ground
from swarms import busybox, pair, swarm
from waiting import eventually

__all__ = [
    "another_cluster",
    "aws",
    "broker",
    "brokers",
    "busybox",
    "closed_connections",
    "cloud",
    "cluster",
    "deployment",
    "engines",
    "eventually",
    "files",
    "ground",
    "host_engine",
    "imds",
    "machines",
    "pair",
    "standing",
    "swarm",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group, and start the long groups first; other layers keep their place."""
    ours = {place: item for place, item in enumerate(items) if _is_ours(item)}
    for item in ours.values():
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    for place, item in zip(ours, sorted(ours.values(), key=place_of), strict=True):
        items[place] = item


def _is_ours(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents
