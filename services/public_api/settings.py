"""public_api's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The API's own settings; those of every service are in `WebSettings`."""

    auth_url: str = "http://auth"
    """The sign-in service, which verifies tokens."""
    couchdb_url: str = "http://couchdb:5984"
    """The store of the news."""
    couchdb_user: str = "spotswarm"
    """The user that reads the news."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    influxdb_url: str = "http://influxdb:8086"
    """The store of the usage."""
    influxdb_user: str = "spotswarm"
    """The user that writes and reads the usage."""
    influxdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    quotes_url: str = "http://cp_api:5000"
    """The quote service."""
    assets_directory: Path = Path("/srv/assets")
    """The files from npm; /docs uses `swagger-ui-dist`."""
    verify_cache_seconds: float = Field(default=3.0, ge=0)
    """How long auth's answer about a token is reused, and so how long a revocation may take."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long it is reused while auth is unavailable; a revoked token may work that long."""
    rate_limit: int = Field(default=60, ge=1)
    """Calls that one token may make at once, and per window. Each replica counts separately: with
    N replicas a token gets up to N times as many."""
    rate_window_seconds: float = Field(default=60.0, gt=0)
    """How long it takes until a token that has used up its calls has all of them again."""
    outgoing_connections: int = Field(default=20, ge=1)
    """The most connections to each other service or store."""
    outgoing_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long another service or store may take to answer."""
