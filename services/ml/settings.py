"""The ml service's settings."""

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """Settings for ml only. Settings that all services share are in `WebSettings`."""

    couchdb_url: str = "http://couchdb:5984"
    """The URL of the CouchDB server that stores the articles."""
    couchdb_user: str = "spotswarm"
    """The CouchDB user that reads and writes the articles."""
    couchdb_password: SecretStr = SecretStr("")
    """The CouchDB user's password; empty if CouchDB requires none."""
    batch: int = Field(default=50, ge=1, le=1000)
    """How many articles are read, analysed and written at a time."""
    wait_seconds: float = Field(default=30.0, gt=0, le=60)
    """How long a request for changes waits if nothing has changed."""
