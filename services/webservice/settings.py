"""The site's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The site's own settings; those of every service are in `WebSettings`."""

    port: int = 5000
    """The port it listens on; the ingress and the development stack expect this one."""
    https: bool = True
    """Whether people reach the site by https: cookies are `Secure` and `__Host-`, and browsers
    keep to https. Off only in development and in labs without https."""
    csrf_key: SecretStr = Field(min_length=32)
    """Signs the forms. The same in every replica; changing it invalidates open forms."""
    auth_url: str = "http://auth"
    """The sign-in service."""
    couchdb_url: str = "http://couchdb:5984"
    """The store of the news."""
    couchdb_user: str = "spotswarm"
    """The user that reads the news."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    influxdb_url: str = "http://influxdb:8086"
    """The store of the usage."""
    influxdb_user: str = "spotswarm"
    """The user that reads the usage."""
    influxdb_password: SecretStr = SecretStr("")
    """Its password; empty if the database has none."""
    quotes_url: str = "http://cp_api:5000"
    """The quote service."""
    api_url: str = "http://api.localhost"
    """The address of public_api in examples and links."""
    site_name: str = "Spotswarm News"
    """The name in the header and in titles."""
    assets_directory: Path = Path("/srv/assets")
    """The files from npm. Without them the pages work as they do without JavaScript."""
    watch_list: str = "AAPL MSFT NVDA AMZN TSLA INTC"
    """The symbols shown to a visitor who has not chosen any."""
    panel_seconds: float = Field(default=3.0, gt=0)
    """How long a part of a page may take before the page is sent without it."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long a known visitor stays signed in, for reading, while the sign-in service is away."""
