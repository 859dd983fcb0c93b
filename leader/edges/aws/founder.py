"""The right to found the swarm: one SSM parameter that can be written once.

PutParameter without Overwrite is atomic, so of managers that boot together exactly one
wins, and after that nobody founds a second swarm beside a lost first one. Rule: the
parameter is never deleted by us; a person who wants a new swarm does it.
"""

from pathlib import Path
from typing import Protocol

from leader.edges.aws.clients import Aws
from leader.view.stance import Founder
from runtime.errors import GoneError, RefusedError

_FOUNDED = "founded by "
_CLAIMED = "claimed by "


class FoundingRight(Protocol):
    """Who may found the swarm."""

    async def read(self) -> Founder:
        """Who holds the right, and whether the swarm was founded."""

    async def claim(self, instance: str) -> Founder:
        """Claim it unless somebody has; returns who holds it now."""

    async def founded(self, instance: str) -> None:
        """Note that the swarm exists: nobody founds again."""


class SsmFoundingRight:
    """The right kept in SSM, for clusters in AWS."""

    def __init__(self, aws: Aws, *, cluster: str) -> None:
        self._aws = aws
        self._name = f"/spotswarm/{cluster}/founder"

    async def read(self) -> Founder:  # noqa: D102
        try:
            answer = await self._aws.call(
                "reading who founds the swarm", self._aws.ssm.get_parameter, Name=self._name
            )
        except GoneError:
            return Founder(instance=None)
        return _founder(answer["Parameter"]["Value"])

    async def claim(self, instance: str) -> Founder:  # noqa: D102
        try:
            await self._put(f"{_CLAIMED}{instance}", overwrite=False)
        except RefusedError as exc:
            found = await self.read()
            if found.instance is None:
                raise RefusedError(f"claiming the founding of the swarm: {exc}") from exc
            return found
        return Founder(instance=instance)

    async def founded(self, instance: str) -> None:  # noqa: D102
        await self._put(f"{_FOUNDED}{instance}", overwrite=True)

    async def _put(self, value: str, *, overwrite: bool) -> None:
        await self._aws.call(
            f"writing {self._name}",
            self._aws.ssm.put_parameter,
            Name=self._name,
            Value=value,
            Type="String",
            Overwrite=overwrite,
        )


class FileFoundingRight:
    """The right kept in a file, for a first manager outside AWS: the operator puts it there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Founder:  # noqa: D102
        try:
            return _founder(self._path.read_text().strip())
        except FileNotFoundError:
            return Founder(instance="whoever has the founder file; docs/operations.md")

    async def claim(self, instance: str) -> Founder:  # noqa: D102
        found = await self.read()
        return found if found.instance else Founder(instance=instance)

    async def founded(self, instance: str) -> None:  # noqa: D102
        try:
            self._path.write_text(f"{_FOUNDED}{instance}\n")
        except OSError as exc:
            raise RefusedError(f"{self._path} cannot be written: {exc.strerror}") from exc


def _founder(text: str) -> Founder:
    return Founder(
        instance=text.removeprefix(_FOUNDED).removeprefix(_CLAIMED) or None,
        is_founded=text.startswith(_FOUNDED),
    )
