"""What ml is told from outside: environment, or files of secrets."""

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """ml's settings; those of every service are in `WebSettings`."""

    couchdb_url: str = "http://couchdb:5984"
    """Where the articles are."""
    couchdb_user: str = "spotswarm"
    """Who reads and writes them."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    batch: int = Field(default=50, ge=1, le=1000)
    """Articles that are read, analysed and written at once."""
    wait_seconds: float = Field(default=30.0, gt=0, le=60)
    """How long one question for changes may stay unanswered while there are none."""
