"""Checks that the Docker engine supports the API version that our code needs.

Rule: use the engine's newest API version, which aiodocker negotiates. To change a service, we send
its complete spec, and the engine drops fields that the API version does not support. With an
older version, our update could remove some of the operator's settings. Therefore, our code sets a
minimum version, not a fixed version.
"""

from typing import Final, NamedTuple

from runtime.errors import RefusedError

NEWEST: Final = "auto"
"""This value makes aiodocker negotiate the version with its next call. Set the value again to
negotiate again."""


class ApiVersion(NamedTuple):
    """A Docker API version, such as 1.41."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> "ApiVersion":
        """Parse a version such as `1.41` or `v1.41`.

        Raises:
            RefusedError: if the text is not a valid version.
        """
        major, _, minor = text.removeprefix("v").partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            raise RefusedError(f"the engine's API version {text!r} is invalid")
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def require(offered: str, lowest: ApiVersion, *, engine: str) -> None:
    """Check that `offered`, the engine's API version, is at least `lowest`.

    `engine` is the first Docker release that supports API version `lowest`.

    Raises:
        RefusedError: if the engine is too old; the message names the release to install.
    """
    if (version := ApiVersion.parse(offered)) < lowest:
        raise RefusedError(
            f"this engine's API version is {version}, but {lowest} is needed; "
            f"install Docker {engine} or later"
        )
