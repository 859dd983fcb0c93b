"""The site's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """Settings for the site only. Settings that all services share are in `WebSettings`."""

    port: int = 5000
    """The port that the site listens on. The ingress and the development stack expect port 5000."""
    https: bool = True
    """Whether visitors use https. If true, cookies are `Secure` with the `__Host-` prefix, and
    browsers are told to use only https. Set it to false only in development and in labs."""
    csrf_key: SecretStr = Field(min_length=32)
    """The key that signs forms. It must be the same in all replicas. Changing it invalidates forms
    that are open in browsers."""
    auth_url: str = "http://auth"
    """The URL of the sign-in service."""
    couchdb_url: str = "http://couchdb:5984"
    """The URL of the database with the news."""
    couchdb_user: str = "spotswarm"
    """The database user that reads the news."""
    couchdb_password: SecretStr = SecretStr("")
    """The database user's password; empty if the database does not require a password."""
    influxdb_url: str = "http://influxdb:8086"
    """The URL of the database with the usage data."""
    influxdb_user: str = "spotswarm"
    """The database user that reads the usage data."""
    influxdb_password: SecretStr = SecretStr("")
    """The database user's password; empty if the database does not require a password."""
    quotes_url: str = "http://cp_api:5000"
    """The URL of the quote service."""
    api_url: str = "http://api.localhost"
    """The public URL of public_api, for examples and links."""
    site_name: str = "Spotswarm News"
    """The site's name, shown in the header and in page titles."""
    assets_directory: Path = Path("/srv/assets")
    """The directory with the npm packages. Without the packages, pages work as they do without
    JavaScript."""
    watch_list: str = "AAPL MSFT NVDA AMZN TSLA INTC"
    """The symbols shown to visitors who have not chosen their own."""
    panel_seconds: float = Field(default=3.0, gt=0)
    """How long to wait for a part of a page before sending the page without that part, in
    seconds."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long recently verified visitors can keep reading while the sign-in service is
    unavailable, in seconds."""
    outgoing_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a service or store may take to respond."""
