"""The fleet launches instances. Until one is configured, nothing does.

Rule: an adapter requests capacity and never terminates an instance; `Instances.terminate` does.
"""

from collections.abc import Sequence
from typing import Protocol

from leader.view.ids import InstanceId
from leader.view.pools import Pool
from runtime.errors import RefusedError


class Fleet(Protocol):
    """Launches instances."""

    async def replace(self, instance: InstanceId, *, avoid: Sequence[Pool]) -> None:
        """Launch an instance to replace this one, if possible in none of these pools.

        Raises:
            RefusedError: it does not; a person must.
        """


class NoFleet:
    """No fleet is configured."""

    async def replace(self, instance: InstanceId, *, avoid: Sequence[Pool]) -> None:  # noqa: D102
        pools = ", ".join(f"{kind} in {zone}" for kind, zone in avoid)
        raise RefusedError(
            f"no fleet is configured: launch a replacement of {instance} yourself"
            + (f", not as {pools}" if pools else "")
        )
