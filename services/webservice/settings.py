"""What the site is told from outside: environment, or files of secrets."""

from pathlib import Path

from pydantic import Field, SecretStr

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """The site's settings; those of every service are in `WebSettings`."""

    port: int = 5000
    """Where it listens; the ingress and the development stack know this one."""
    https: bool = True
    """People reach the site by https: cookies are `Secure` and `__Host-`, and browsers are told
    to stay with it. Off only where there is none: development, the lab over http."""
    csrf_key: SecretStr = Field(min_length=32)
    """Signs the forms. The same in every replica; another one makes open forms refused once."""
    auth_url: str = "http://auth"
    """The sign-in service."""
    couchdb_url: str = "http://couchdb:5984"
    """Where the news are."""
    couchdb_user: str = "spotswarm"
    """Who reads them."""
    couchdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    influxdb_url: str = "http://influxdb:8086"
    """Where the usage is."""
    influxdb_user: str = "spotswarm"
    """Who reads it."""
    influxdb_password: SecretStr = SecretStr("")
    """Its password; empty where the database asks for none."""
    quotes_url: str = "http://cp_api:5000"
    """The service of quotes."""
    api_url: str = "http://api.localhost"
    """Where people find public_api: in examples and links."""
    site_name: str = "Spotswarm News"
    """In the header and in titles."""
    assets_directory: Path = Path("/srv/assets")
    """What npm brought for browsers. Without it the pages work as they do without JavaScript."""
    watch_list: str = "AAPL MSFT NVDA AMZN TSLA INTC"
    """The symbols quoted to somebody who has not chosen any."""
    panel_seconds: float = Field(default=3.0, gt=0)
    """How long a part of a page may take before the page comes without it."""
    stale_seconds: float = Field(default=300.0, ge=0)
    """How long somebody known stays signed in, for reading, while the sign-in service is away."""
