"""Which subnets are chosen for networks that an engine refuses; `tests/contract` has real ones."""

import asyncio
from ipaddress import IPv4Network
from types import SimpleNamespace

import pytest
from aiodocker.exceptions import DockerError

from leader.edges.docker.networks import Networks
from runtime.errors import RefusedError

POOL = IPv4Network("10.77.0.0/19")  # two networks


class RefusingEngine:
    """An engine that refuses every network, and keeps the subnets that it was asked for."""

    def __init__(self, message):
        self.message, self.subnets = message, []
        self.networks = SimpleNamespace(list=self._list, create=self._create)
        self.swarm = SimpleNamespace(inspect=self._inspect)

    async def _list(self):
        return []

    async def _inspect(self):
        return {"DefaultAddrPool": ["10.0.0.0/8"], "SubnetSize": 24}

    async def _create(self, wish):
        self.subnets.append(wish.get("IPAM", {}).get("Config", [{}])[0].get("Subnet"))
        raise DockerError(409, self.message)


def refused(message, times):
    engine = RefusingEngine(message)
    networks = Networks(engine)
    for _ in range(times):
        with pytest.raises(RefusedError):
            asyncio.run(networks.ensure("proxy", pool=POOL))
    return engine.subnets


def test_attempts_that_are_refused_do_not_use_up_the_subnets():
    """Without a subnet of ours, Swarm would choose one, which may hide the VPC."""
    assert set(refused("network with name proxy already exists", times=5)) == {"10.77.16.0/20"}


def test_after_an_overlap_another_subnet_is_tried():
    message = "Pool overlaps with other one on this address space"
    assert refused(message, times=2) == ["10.77.16.0/20", "10.77.0.0/20"]
