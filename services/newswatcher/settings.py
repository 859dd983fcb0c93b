"""newswatcher's settings."""

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
    """newswatcher's own settings; those of every service are in `WebSettings`."""

    feeds_file: Annotated[Path, AfterValidator(_readable)] = Path(__file__).with_name("feeds.toml")
    """The list of feeds; `services/newswatcher/feeds.py` describes its form."""
    couchdb_url: str = "http://couchdb:5984"
    """The store of the articles."""
    couchdb_user: str = "spotswarm"
    """The user that writes the articles."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    contact: str = Field(default="", max_length=200, pattern=r"^[\x20-\x7e]*$")
    """An address or page for complaints from publishers; part of the User-Agent."""
    allow_private: bool = False
    """Whether private addresses may be fetched. For labs and tests only: otherwise a feed could
    make us read what is reachable only from inside this network."""
    host_interval_seconds: float = Field(default=2.0, ge=0)
    """The pause between two requests to a host; its robots.txt may ask for more."""
    fetch_seconds: float = Field(default=20.0, gt=0)
    """How long one request may take, including the whole answer."""
    feed_bytes: int = Field(default=5_000_000, gt=0)
    """The longest feed that is accepted, after decompression."""
    page_bytes: int = Field(default=2_000_000, gt=0)
    """The longest page that is accepted, after decompression."""
    parse_seconds: float = Field(default=10.0, gt=0)
    """How long parsing a feed or a page may take."""
    pages_per_look: int = Field(default=20, gt=0)
    """The most new entries per poll of a feed; the rest waits for the next poll."""
    outgoing_connections: int = Field(default=20, gt=0)
    """The most connections to all hosts together."""

    def feeds(self) -> tuple[feeds.Feed, ...]:
        """The feeds in the file."""
        return feeds.parse(self.feeds_file.read_text())
