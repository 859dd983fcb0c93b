"""ml's settings."""

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """ml's own settings; those of every service are in `WebSettings`."""

    couchdb_url: str = "http://couchdb:5984"
    """The store of the articles."""
    couchdb_user: str = "spotswarm"
    """The user that reads and writes the articles."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    batch: int = Field(default=50, ge=1, le=1000)
    """How many articles are read, analysed and written at a time."""
    wait_seconds: float = Field(default=30.0, gt=0, le=60)
    """How long one request for changes waits while there are none."""
