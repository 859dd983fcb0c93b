"""The times that messages, notices and labels may contain.

Rule: parse every time from outside with this module, once, where it comes in. Datetimes near the
years 1 and 9999 are valid for Python, but raise OverflowError in later arithmetic.
"""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer

from wire.proof import DATE_FORMAT

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def plausible(at: datetime) -> datetime:
    """Return this time unchanged; a time without a zone is taken as UTC.

    Raises:
        ValueError: if the time is not between 1970 and 2200.
    """
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST <= aware < LATEST:
        raise ValueError("the time must be between 1970 and 2200")
    return aware


def _signed(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) != len("20260101T000000Z") or not value.isascii():
        raise ValueError("the time must look like 20260101T000000Z")
    return datetime.strptime(value, DATE_FORMAT).replace(tzinfo=UTC)


Time = Annotated[AwareDatetime, AfterValidator(plausible)]
"""A time in ISO 8601 with a time zone."""

SignedTime = Annotated[
    Time,
    BeforeValidator(_signed),
    PlainSerializer(lambda at: at.strftime(DATE_FORMAT), return_type=str, when_used="json"),
]
"""The time of a signature, in the format of the header `X-Amz-Date` and in UTC."""
