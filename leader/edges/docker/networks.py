"""Creates the cluster's overlay networks, with enough addresses and none of the VPC's.

Rule: only a network of the swarm counts as ours. An engine can also have a local network of the
same name, for example one that `docker compose` left behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, Final, NamedTuple

from aiodocker import Docker

from leader.edges.docker.errors import translated
from leader.edges.docker.fields import Table, number, required, table, tables, text, texts
from leader.upkeep.subnets import PREFIX, free_subnet
from runtime.errors import RefusedError
from runtime.faults import Faults

Json = Mapping[str, Any]
_DRIVER: Final = "overlay"
_SWARM: Final = "swarm"
_USUAL_PREFIX: Final = 24
"""The size of overlay networks in a swarm that was created without a pool."""


class _Network(NamedTuple):
    name: str
    is_ours: bool
    subnets: tuple[IPv4Network, ...]


class Networks:
    """Creates overlay networks through the local engine, which must be a manager."""

    def __init__(self, docker: Docker, faults: Faults | None = None) -> None:
        self._docker = docker
        self._faults = faults or Faults()
        self._chosen: list[IPv4Network] = []
        """Subnets of new networks, which the engine lists only after a moment."""

    async def ensure(
        self, name: str, *, avoid: Iterable[IPv4Network] = (), pool: IPv4Network | None = None
    ) -> bool:
        """Create an attachable overlay network; return False if the swarm has it already.

        `avoid` has the address blocks of the VPC, and `pool` the addresses that the operator has
        set; see `leader.upkeep.subnets`.

        Raises the same errors as `translated`. If the engine refuses the network and has a local
        network of the same name, the message says how to remove that network.
        """
        with translated("list the networks"):
            listed = await self._docker.networks.list()
        networks, _ = self._faults.readable("rows of networks", listed, _network)
        namesakes = [network for network in networks if network.name == name]
        if any(network.is_ours for network in namesakes):
            return False
        addresses = await self._addresses(networks, tuple(avoid), pool)
        wish = {
            "Name": name,
            "Driver": _DRIVER,
            "Attachable": True,
            # With this check, older engines refuse a name that a local network has.
            "CheckDuplicate": not namesakes,
            **addresses,
        }
        try:
            with translated(f"create the network {name}"):
                await self._docker.networks.create(wish)
        except RefusedError as exc:
            if addresses and "overlap" not in str(exc):
                # Otherwise, repeated attempts would use up all subnets.
                self._chosen.pop()
            if not namesakes:
                raise
            raise RefusedError(
                f"{exc}; this engine has a local network named {name}, which may be in the way: run"
                f" `docker network rm {name}` on this manager"
            ) from exc
        return True

    async def _addresses(
        self, networks: Sequence[_Network], avoid: tuple[IPv4Network, ...], pool: IPv4Network | None
    ) -> Json:
        """Return the `IPAM` of a new network, or nothing if Swarm's own choice is good enough.

        A swarm that was created without a pool has networks of 253 addresses, from 10.0.0.0 on.
        """
        with translated("read the swarm's address pools"):
            swarm = await self._docker.swarm.inspect()
        own = [IPv4Network(block) for block in texts(swarm, "DefaultAddrPool") if "." in block]
        is_apart = not any(block.overlaps(other) for block in own for other in avoid)
        if is_apart and (number(swarm, "SubnetSize") or _USUAL_PREFIX) <= PREFIX:
            return {}
        taken = (subnet for network in networks for subnet in network.subnets)
        subnet = free_subnet((*avoid, *self._chosen, *taken), pool=pool)
        if subnet is None:
            return {}
        self._chosen.append(subnet)
        return {"IPAM": {"Config": [{"Subnet": str(subnet)}]}}


def _network(raw: Table) -> _Network:
    is_ours = text(raw, "Driver") == _DRIVER and text(raw, "Scope") == _SWARM
    return _Network(required(raw, "Name"), is_ours, tuple(_subnets(raw)))


def _subnets(raw: Table) -> Iterator[IPv4Network]:
    """Yield a network's IPv4 subnets."""
    for block in tables(table(raw, "IPAM"), "Config"):
        if "." in (subnet := text(block, "Subnet")):
            yield IPv4Network(subnet, strict=False)
