"""The list of feeds: what an operator writes in TOML.

every_seconds = 300            # for feeds that say nothing else

[[feeds]]
name = "Federal Reserve"
url = "https://www.federalreserve.gov/feeds/press_all.xml"
pages = true                   # read the articles' pages, and not the feed alone
"""

import hashlib
import tomllib
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a feed's url begins with http:// or https:// and names a host")
    return url


class Feed(BaseModel):
    """One feed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    """What its articles have as `source`."""
    url: Annotated[str, AfterValidator(_web_address)] = Field(max_length=2000)
    every_seconds: float = Field(default=300.0, gt=0)
    pages: bool = False
    """Whether the articles' own pages are fetched for their text, where robots.txt lets us.
    Off unless wanted: whose text may be kept is for the operator to know."""

    @property
    def id(self) -> str:
        """Its document's: the same URL is the same feed, whatever it is called."""
        return "feed-" + hashlib.sha256(self.url.encode()).hexdigest()[:32]


class FeedList(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every_seconds: float = Field(default=300.0, gt=0)
    feeds: tuple[Feed, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, given: Any) -> Any:
        every = given.get("every_seconds") if isinstance(given, dict) else None
        feeds = given.get("feeds") if isinstance(given, dict) else None
        if every is None or not isinstance(feeds, list):
            return given
        filled = [{"every_seconds": every, **one} for one in feeds if isinstance(one, dict)]
        return {**given, "feeds": filled}

    @model_validator(mode="after")
    def _each_once(self) -> "FeedList":
        for of in ("name", "url"):
            told = [getattr(feed, of) for feed in self.feeds]
            twice = sorted({one for one in told if told.count(one) > 1})
            if twice:
                raise ValueError(f"two feeds have the same {of}: {twice[0]}")
        return self


def parse(text: str) -> tuple[Feed, ...]:
    """The feeds of a settings file.

    Raises:
        ValueError: it is no such file; the sentence says where.
    """
    try:
        return FeedList.model_validate(tomllib.loads(text)).feeds
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(f"not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{where}: {first['msg']}") from exc
