"""The position in a list of articles where the next page begins.

Rule: a position is a key, not a count, so no article is repeated or skipped when new articles
arrive. Clients must not interpret or change the cursor's text. The checksum detects accidental
changes, but not forgery. A forged cursor gives no access to additional data.
"""

import base64
import json
import zlib
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.stores.article import timestamp

_LONGEST: Final = 500
"""More characters than any cursor has."""


class Cursor(BaseModel):
    """The position immediately after an article."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: AwareDatetime
    id: str = Field(pattern=r"^news-[0-9a-f]{32}$")

    @property
    def key(self) -> list[str]:
        """The publication time and the article's id, as they appear in a view's keys."""
        return [timestamp(self.published), self.id]

    def encode(self) -> str:
        """Return the cursor as URL-safe text for clients."""
        key = self.key
        body = json.dumps([*key, _checksum(key)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(body).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        """Parse the text of a cursor, as returned by `encode`.

        Raises:
            ValueError: if the text is not a valid cursor.
        """
        if len(text) > _LONGEST:
            raise ValueError("must be a valid cursor")
        try:
            body = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            published, article, checksum = json.loads(body)
            cursor = cls.model_validate({"published": published, "id": article})
            # Each position has exactly one valid text, which keeps clients' caches small.
            is_ours = checksum == _checksum(cursor.key) and cursor.encode() == text
        # OverflowError: in UTC, the time is in year 0 or 10000. RecursionError: nested JSON.
        except (ValueError, TypeError, OverflowError, RecursionError) as exc:
            raise ValueError("must be a valid cursor") from exc
        if not is_ours:
            raise ValueError("must be a valid cursor")
        return cursor


def _checksum(key: list[str]) -> int:
    return zlib.crc32("\n".join(key).encode())
