"""What public_api is told from outside: environment, or files of secrets."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The API's settings; those of every service are in `WebSettings`."""

    auth_url: str = "http://auth"
    """Who knows whose a token is."""
    couchdb_url: str = "http://couchdb:5984"
    """Where the news are."""
    couchdb_user: str = "spotswarm"
    """Who reads them."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    influxdb_url: str = "http://influxdb:8086"
    """Where the usage is kept."""
    influxdb_user: str = "spotswarm"
    """Who writes and reads it."""
    influxdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    quotes_url: str = "http://cp_api:5000"
    """The service of quotes."""
    assets_directory: Path = Path("/srv/assets")
    """What npm brought for browsers: `swagger-ui-dist` of it is the page at /docs."""
    verify_cache_seconds: float = Field(default=3.0, ge=0)
    """How long a token that auth vouched for is believed: revoking one takes effect within."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long it is believed while auth is away. A revoked one lives so long at most."""
    rate_limit: int = Field(default=60, ge=1)
    """Calls that one token may make at once, and in one window. Each replica counts for itself:
    with N of them a token can have up to N times as many."""
    rate_window_seconds: float = Field(default=60.0, gt=0)
    """In which a token that has used up its calls has all of them again."""
    outgoing_connections: int = Field(default=20, ge=1)
    """To each of the others at most, kept open."""
    outgoing_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long one of them may take before the call is answered without it."""
