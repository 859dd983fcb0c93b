"""The interface to a fleet, which launches instances; by default, no fleet is configured.

Rule: a fleet adapter requests capacity, but only `Instances.terminate` terminates instances.
"""

from collections.abc import Sequence
from typing import Protocol

from leader.view.ids import InstanceId
from leader.view.pools import Pool
from runtime.errors import RefusedError


class Fleet(Protocol):
    """Launches replacement instances."""

    async def replace(self, instance: InstanceId, *, avoid: Sequence[Pool]) -> None:
        """Launch a replacement for this instance, outside the given Spot pools if possible.

        Raises:
            RefusedError: if the fleet cannot launch a replacement; the operator must then launch
                one.
        """


class NoFleet:
    """A fleet that rejects every request, for clusters that have no fleet configured."""

    async def replace(self, instance: InstanceId, *, avoid: Sequence[Pool]) -> None:  # noqa: D102
        pools = ", ".join(f"{kind} in {zone}" for kind, zone in avoid)
        raise RefusedError(
            f"no fleet is configured; launch a replacement for {instance} yourself"
            + (f", but avoid {pools}" if pools else "")
        )
