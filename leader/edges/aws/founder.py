"""The right to found the swarm: an SSM parameter that can be written only once.

PutParameter without Overwrite is atomic, so of managers that boot together exactly one gets the
right, and later no manager founds a second swarm if the first one is lost. Rule: we never delete
the parameter; a person who wants a new swarm does.
"""

from pathlib import Path
from typing import Protocol

from leader.edges.aws.clients import Aws
from leader.view.stance import Founder
from runtime.errors import GoneError, RefusedError

_FOUNDED = "founded by "
_CLAIMED = "claimed by "


class FoundingRight(Protocol):
    """The right to found the swarm."""

    async def read(self) -> Founder:
        """Which instance has the right, and whether it has founded the swarm."""

    async def claim(self, instance: str) -> Founder:
        """Claim the right unless it is taken; returns who has it now."""

    async def founded(self, instance: str) -> None:
        """Record that the swarm exists, so that it is never founded again."""


class SsmFoundingRight:
    """The right as an SSM parameter, for clusters in AWS."""

    def __init__(self, aws: Aws, *, cluster: str) -> None:
        self._aws = aws
        self._name = f"/spotswarm/{cluster}/founder"

    async def read(self) -> Founder:  # noqa: D102
        try:
            answer = await self._aws.call(
                "reading who may found the swarm", self._aws.ssm.get_parameter, Name=self._name
            )
        except GoneError:
            return Founder(instance=None)
        return _founder(answer["Parameter"]["Value"])

    async def claim(self, instance: str) -> Founder:  # noqa: D102
        try:
            await self._put(f"{_CLAIMED}{instance}", overwrite=False)
        except RefusedError as exc:
            founder = await self.read()
            if founder.instance is None:
                raise RefusedError(f"claiming the right to found the swarm: {exc}") from exc
            return founder
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
    """The right as a file that the operator creates on the first manager, outside AWS."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Founder:  # noqa: D102
        try:
            return _founder(self._path.read_text().strip())
        except FileNotFoundError:
            return Founder(instance="the machine with the founder file; docs/operations.md")

    async def claim(self, instance: str) -> Founder:  # noqa: D102
        founder = await self.read()
        return founder if founder.instance else Founder(instance=instance)

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
