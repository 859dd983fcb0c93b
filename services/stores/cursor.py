"""The place in a list of articles where its next page begins.

Rule: a place is a key, never a count, so that articles that arrive meanwhile neither repeat nor
hide one. Its text is opaque to clients; the checksum is against accidents, not against intent:
a place that somebody makes up shows nothing that they could not ask for.
"""

import base64
import binascii
import json
import zlib
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from services.stores.article import timestamp


class Cursor(BaseModel):
    """After this article, in the order of the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: AwareDatetime
    id: str = Field(pattern=r"^news-[0-9a-f]{32}$")

    @property
    def key(self) -> list[str]:
        """The end of a view's key."""
        return [timestamp(self.published), self.id]

    def encode(self) -> str:
        """For a client; URL-safe."""
        key = self.key
        body = json.dumps([*key, _checksum(key)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(body).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` made.

        Raises:
            ValueError: it did not, or somebody changed it.
        """
        try:
            body = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            published, article, checksum = json.loads(body)
            found = cls.model_validate({"published": published, "id": article})
        except (binascii.Error, ValueError, TypeError, ValidationError) as exc:
            raise ValueError("not a cursor of ours") from exc
        # Only one text is right for a place: lists of clients' caches stay short.
        if checksum != _checksum(found.key) or found.encode() != text:
            raise ValueError("not a cursor of ours")
        return found


def _checksum(key: list[str]) -> int:
    return zlib.crc32("\n".join(key).encode())
