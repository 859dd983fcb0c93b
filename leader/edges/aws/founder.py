"""The right to found the swarm: an SSM parameter that only one instance can claim.

PutParameter without Overwrite is atomic. If several managers boot at the same time, exactly one
gets the right. If the swarm is lost later, no manager founds a second swarm. Rule: never delete the
parameter in code; an operator who wants a new swarm deletes the parameter.
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
        """Return which instance has the right to found the swarm, and whether it has done so."""

    async def claim(self, instance: str) -> Founder:
        """Claim the founding right unless another instance has it; return the owner."""

    async def founded(self, instance: str) -> None:
        """Record that this instance has founded the swarm, so that no second swarm is founded."""


class SsmFoundingRight:
    """Stores the founding right in an SSM parameter, for clusters in AWS."""

    def __init__(self, aws: Aws, *, cluster: str) -> None:
        self._aws = aws
        self._name = f"/spotswarm/{cluster}/founder"

    async def read(self) -> Founder:  # noqa: D102
        try:
            answer = await self._aws.call(
                "read the founding right", self._aws.ssm.get_parameter, Name=self._name
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
                raise RefusedError(f"could not claim the founding right: {exc}") from exc
            return founder
        return Founder(instance=instance)

    async def founded(self, instance: str) -> None:  # noqa: D102
        await self._put(f"{_FOUNDED}{instance}", overwrite=True)

    async def _put(self, value: str, *, overwrite: bool) -> None:
        await self._aws.call(
            f"write the SSM parameter {self._name}",
            self._aws.ssm.put_parameter,
            Name=self._name,
            Value=value,
            Type="String",
            Overwrite=overwrite,
        )


class FileFoundingRight:
    """Stores the founding right in a file, for clusters outside AWS.

    The operator creates the file on the first manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Founder:  # noqa: D102
        try:
            return _founder(self._path.read_text().strip())
        except FileNotFoundError:
            return Founder(instance="the machine with the founder file (see docs/operations.md)")
        except (OSError, UnicodeDecodeError) as exc:
            raise RefusedError(f"could not read {self._path}: {type(exc).__name__}") from exc

    async def claim(self, instance: str) -> Founder:  # noqa: D102
        founder = await self.read()
        return founder if founder.instance else Founder(instance=instance)

    async def founded(self, instance: str) -> None:  # noqa: D102
        try:
            self._path.write_text(f"{_FOUNDED}{instance}\n")
        except OSError as exc:
            raise RefusedError(f"could not write {self._path}: {exc.strerror}") from exc


def _founder(text: str) -> Founder:
    return Founder(
        instance=text.removeprefix(_FOUNDED).removeprefix(_CLAIMED) or None,
        is_founded=text.startswith(_FOUNDED),
    )
