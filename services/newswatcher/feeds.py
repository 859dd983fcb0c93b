"""The list of feeds, which the operator maintains in a TOML file.

For example:

every_seconds = 300            # for feeds that do not set their own interval

[[feeds]]
name = "Federal Reserve"
url = "https://www.federalreserve.gov/feeds/press_all.xml"
pages = true                   # also read the articles' pages
"""

import hashlib
import tomllib
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from yarl import URL


def _web_address(url: str) -> str:
    try:
        parts = URL(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.raw_host)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("a feed's url must begin with http:// or https:// and contain a host name")
    return url


class Feed(BaseModel):
    """One feed in the list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    """The name of the feed, stored as the `source` of its articles."""
    url: Annotated[str, AfterValidator(_web_address)] = Field(max_length=2000)
    every_seconds: float = Field(default=300.0, gt=0)
    pages: bool = False
    """Whether to fetch the articles' pages for their full text if robots.txt allows it. This is off
    by default, because the operator must decide whose texts may be stored."""

    @property
    def id(self) -> str:
        """The id of the feed's database document. It stays the same if the feed is renamed."""
        return "feed-" + hashlib.sha256(self.url.encode()).hexdigest()[:32]


class FeedList(BaseModel):
    """The contents of the feeds file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every_seconds: float = Field(default=300.0, gt=0)
    feeds: tuple[Feed, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: Any) -> Any:
        every = values.get("every_seconds") if isinstance(values, dict) else None
        feeds = values.get("feeds") if isinstance(values, dict) else None
        if every is None or not isinstance(feeds, list):
            return values
        filled = [{"every_seconds": every, **feed} for feed in feeds if isinstance(feed, dict)]
        return {**values, "feeds": filled}

    @model_validator(mode="after")
    def _unique(self) -> "FeedList":
        for field in ("name", "url"):
            values = [getattr(feed, field) for feed in self.feeds]
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise ValueError(f"two feeds have the same {field}: {repeated[0]}")
        return self


def parse(text: str) -> tuple[Feed, ...]:
    """Parse the text of a feeds file and return its feeds.

    Raises:
        ValueError: if the file is invalid. The message describes the error and its location.
    """
    try:
        return FeedList.model_validate(tomllib.loads(text)).feeds
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(f"the file is not valid TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{where}: {first['msg']}") from exc
