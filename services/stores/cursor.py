"""The place in a list of articles at which the next page begins.

Rule: a place is a key, never a count, so that new articles neither repeat nor hide one. Its text is
opaque to clients. The checksum protects against accidents only: a forged cursor shows nothing that
its author could not query anyway.
"""

import base64
import binascii
import json
import zlib
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from services.stores.article import timestamp


class Cursor(BaseModel):
    """The place after this article."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: AwareDatetime
    id: str = Field(pattern=r"^news-[0-9a-f]{32}$")

    @property
    def key(self) -> list[str]:
        """The last part of a view's key."""
        return [timestamp(self.published), self.id]

    def encode(self) -> str:
        """The cursor as a URL-safe text for clients."""
        key = self.key
        body = json.dumps([*key, _checksum(key)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(body).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """The cursor of a text that `encode` made.

        Raises:
            ValueError: the text is not a cursor.
        """
        try:
            body = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            published, article, checksum = json.loads(body)
            cursor = cls.model_validate({"published": published, "id": article})
        except (binascii.Error, ValueError, TypeError, ValidationError) as exc:
            raise ValueError("is not a cursor of this API") from exc
        # Each place has exactly one valid text, which keeps clients' caches small.
        if checksum != _checksum(cursor.key) or cursor.encode() != text:
            raise ValueError("is not a cursor of this API")
        return cursor


def _checksum(key: list[str]) -> int:
    return zlib.crc32("\n".join(key).encode())
