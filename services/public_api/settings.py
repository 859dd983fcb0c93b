"""Settings for the public_api service."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """Settings for public_api only. Settings that all services share are in `WebSettings`."""

    auth_url: str = "http://auth"
    """The URL of the auth service, which verifies tokens."""
    couchdb_url: str = "http://couchdb:5984"
    """The URL of the CouchDB server that stores the news."""
    couchdb_user: str = "spotswarm"
    """The CouchDB user that reads the news."""
    couchdb_password: SecretStr = SecretStr("")
    """The CouchDB user's password; empty if CouchDB requires none."""
    influxdb_url: str = "http://influxdb:8086"
    """The URL of the InfluxDB server that stores the usage."""
    influxdb_user: str = "spotswarm"
    """The InfluxDB user that reads and writes the usage."""
    influxdb_password: SecretStr = SecretStr("")
    """The InfluxDB user's password; empty if InfluxDB requires none."""
    quotes_url: str = "http://cp_api:5000"
    """The URL of the quote service."""
    assets_directory: Path = Path("/srv/assets")
    """The directory of npm packages; `/docs` uses `swagger-ui-dist`."""
    verify_cache_seconds: float = Field(default=3.0, ge=0)
    """How long a verification is reused; a revoked token may keep working for this long."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long a verification is reused while auth is unavailable; a revoked token may keep working
    for this long."""
    auth_patience_seconds: float = Field(default=1.0, gt=0)
    """How long a call waits for auth before a recent verification is reused."""
    rate_limit: int = Field(default=60, ge=1)
    """The number of calls that a token may make in one burst and per window. Each replica counts
    separately, so with N replicas a token can make up to N times as many calls."""
    rate_window_seconds: float = Field(default=60.0, gt=0)
    """How long it takes until all calls are available again after a token has used them up."""
    outgoing_connections: int = Field(default=20, ge=1)
    """The maximum number of connections to each service or store."""
    outgoing_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a service or store may take to respond."""
