"""Which version of Docker's API our edges speak with their engine.

Rule: the newest that the engine has, which aiodocker asks it for. A service is changed by sending
its whole spec back, and the engine drops from it every field that the API version of the call does
not know yet: with an older version our update would remove what the operator has set. So an edge
only states the lowest version that has all its calls and fields.
"""

from typing import Final, NamedTuple

from runtime.errors import RefusedError

NEWEST: Final = "auto"
"""What aiodocker takes for "ask the engine"; it asks once, and again when this is set again."""


class ApiVersion(NamedTuple):
    """A version of the API; Docker's documentation says which engine brought it."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "ApiVersion":
        """Read `1.41` or `v1.41`.

        Raises:
            RefusedError: it is neither.
        """
        major, _, minor = text.removeprefix("v").partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            raise RefusedError(f"the engine's API version {text!r} is none")
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def require(offered: str, lowest: ApiVersion, *, engine: str) -> None:
    """Refuse an engine that is too old; `engine` is the oldest release with `lowest`.

    Raises:
        RefusedError: says which engine to install.
    """
    if (version := ApiVersion.parse(offered)) < lowest:
        raise RefusedError(
            f"this engine's API is {version}, and {lowest} is needed: "
            f"install Docker {engine} or later"
        )
