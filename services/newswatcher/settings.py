"""What newswatcher is told from outside: environment, or files of secrets."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from runtime.web.settings import WebSettings
from services.newswatcher import feeds


def _readable(file: Path) -> Path:
    try:
        feeds.parse(file.read_text())
    except OSError as exc:
        raise ValueError("there is no file to read") from exc
    return file


class Settings(WebSettings):
    """newswatcher's settings; those of every service are in `WebSettings`."""

    feeds_file: Annotated[Path, AfterValidator(_readable)] = Path(__file__).with_name("feeds.toml")
    """Which feeds to read; its form is in `services.newswatcher.feeds`."""
    couchdb_url: str = "http://couchdb:5984"
    """Where the articles go."""
    couchdb_user: str = "spotswarm"
    """Who writes them."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    contact: str = Field(default="", max_length=200, pattern=r"^[\x20-\x7e]*$")
    """An address or page for publishers to complain to; sent in the User-Agent."""
    allow_private: bool = False
    """Whether addresses that are not of the public internet may be asked. For labs and tests: a
    feed could otherwise have us read what only this network may."""
    host_interval_seconds: float = Field(default=2.0, ge=0)
    """From one request to a host to the next; its robots.txt may ask for more."""
    fetch_seconds: float = Field(default=20.0, gt=0)
    """How long one request may take, the whole answer included."""
    feed_bytes: int = Field(default=5_000_000, gt=0)
    """A longer feed is refused; after decompression."""
    page_bytes: int = Field(default=2_000_000, gt=0)
    """The same of an article's page."""
    parse_seconds: float = Field(default=10.0, gt=0)
    """How long reading a feed or finding the article in a page may take."""
    pages_per_look: int = Field(default=20, gt=0)
    """New entries that one look at a feed takes on; the rest waits for the next look."""
    outgoing_connections: int = Field(default=20, gt=0)
    """To all hosts together."""

    def feeds(self) -> tuple[feeds.Feed, ...]:
        """The feeds of the file."""
        return feeds.parse(self.feeds_file.read_text())
