"""The newswatcher service's settings."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from runtime.web.settings import WebSettings
from services.newswatcher import feeds


def _readable(file: Path) -> Path:
    try:
        feeds.parse(file.read_text())
    except OSError as exc:
        raise ValueError("the file cannot be read") from exc
    return file


class Settings(WebSettings):
    """Settings for newswatcher only. Settings that all services share are in `WebSettings`."""

    feeds_file: Annotated[Path, AfterValidator(_readable)] = Path(__file__).with_name("feeds.toml")
    """The list of feeds, in the format described in `services/newswatcher/feeds.py`."""
    couchdb_url: str = "http://couchdb:5984"
    """The URL of the CouchDB server that stores the articles."""
    couchdb_user: str = "spotswarm"
    """The CouchDB user that writes the articles."""
    couchdb_password: SecretStr = SecretStr("")
    """The CouchDB user's password; empty if CouchDB requires none."""
    contact: str = Field(default="", max_length=200, pattern=r"^[\x20-\x7e]*$")
    """A contact address or page for publishers' complaints, sent in the User-Agent."""
    allow_private: bool = False
    """Whether private addresses may be fetched. Use this only in labs and tests: in production, a
    feed could make us fetch pages that are reachable only from inside this network."""
    host_interval_seconds: float = Field(default=2.0, ge=0)
    """The pause between requests to a host. The host's robots.txt may ask for a longer pause."""
    fetch_seconds: float = Field(default=20.0, gt=0)
    """How long one request may take, including the complete response."""
    feed_bytes: int = Field(default=5_000_000, gt=0)
    """The maximum size of a feed in bytes, after decompression."""
    page_bytes: int = Field(default=2_000_000, gt=0)
    """The maximum size of a page in bytes, after decompression."""
    parse_seconds: float = Field(default=10.0, gt=0)
    """How long parsing a feed or a page may take."""
    parse_bytes: int = Field(default=200_000_000, ge=50_000_000)
    """How much memory parsing a feed or a page may use."""
    pages_per_look: int = Field(default=20, gt=0)
    """The maximum number of new entries per poll of a feed; the others wait for the next poll."""
    outgoing_connections: int = Field(default=20, gt=0)
    """The maximum number of connections to all hosts together."""

    def feeds(self) -> tuple[feeds.Feed, ...]:
        """Return the feeds in the feeds file."""
        return feeds.parse(self.feeds_file.read_text())
