"""Creates the cluster's overlay networks, with enough addresses and none of the VPC's.

Rule: only a network of the swarm counts as ours. An engine can also have a local network of the
same name, for example one that `docker compose` left behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, Final

from aiodocker import Docker

from leader.edges.docker.errors import translated
from leader.upkeep.subnets import PREFIX, free_subnet
from runtime.errors import RefusedError

Json = Mapping[str, Any]
_DRIVER: Final = "overlay"
_SWARM: Final = "swarm"
_USUAL_PREFIX: Final = 24
"""The size of overlay networks in a swarm that was created without a pool."""


class Networks:
    """Creates overlay networks through the local engine, which must be a manager."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
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
            networks = await self._docker.networks.list()
        namesakes = [network for network in networks if network["Name"] == name]
        if any(_is_overlay(network) for network in namesakes):
            return False
        wish = {
            "Name": name,
            "Driver": _DRIVER,
            "Attachable": True,
            # With this check, older engines refuse a name that a local network has.
            "CheckDuplicate": not namesakes,
            **await self._addresses(networks, tuple(avoid), pool),
        }
        try:
            with translated(f"create the network {name}"):
                await self._docker.networks.create(wish)
        except RefusedError as exc:
            if not namesakes:
                raise
            raise RefusedError(
                f"{exc}; this engine has a local network named {name}, which may be in the way: run"
                f" `docker network rm {name}` on this manager"
            ) from exc
        return True

    async def _addresses(
        self, networks: Sequence[Json], avoid: tuple[IPv4Network, ...], pool: IPv4Network | None
    ) -> Json:
        """Return the `IPAM` of a new network, or nothing if Swarm's own choice is good enough.

        A swarm that was created without a pool has networks of 253 addresses, from 10.0.0.0 on.
        """
        with translated("read the swarm's address pools"):
            swarm = await self._docker.swarm.inspect()
        own = [IPv4Network(block) for block in swarm.get("DefaultAddrPool") or () if "." in block]
        is_apart = not any(block.overlaps(other) for block in own for other in avoid)
        if is_apart and int(swarm.get("SubnetSize") or _USUAL_PREFIX) <= PREFIX:
            return {}
        subnet = free_subnet((*avoid, *self._chosen, *_subnets(networks)), pool=pool)
        if subnet is None:
            return {}
        self._chosen.append(subnet)
        return {"IPAM": {"Config": [{"Subnet": str(subnet)}]}}


def _subnets(networks: Iterable[Json]) -> Iterator[IPv4Network]:
    """Yield the IPv4 subnets of these networks."""
    for network in networks:
        for block in (network.get("IPAM") or {}).get("Config") or ():
            if "." in (subnet := str(block.get("Subnet", ""))):
                yield IPv4Network(subnet, strict=False)


def _is_overlay(network: Json) -> bool:
    return network.get("Driver") == _DRIVER and network.get("Scope") == _SWARM
