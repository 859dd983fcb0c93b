"""What cp_api is told by its environment."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api's settings; none is a secret, for the login is made at the gateway by a person."""

    # An empty variable is one that was not set: a path of nothing would be this directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = 5000
    """Where it listens."""
    gateway_url: str = "http://cp_gateway:5000"
    """The gateway or its simulator; the real one speaks https with a certificate of its own."""
    gateway_ca: Path | None = None
    """The certificate to know the gateway by; without one the system's are believed."""
    gateway_verify: bool = True
    """False believes whoever answers at that address, and is warned of at every start."""
    gateway_seconds: float = 5.0
    """How long the gateway may take for one answer."""
    answer_seconds: float = 8.0
    """How long a caller is kept waiting for a fresh answer before it gets a stale one or none."""
    queue_seconds: float = 6.0
    """A request whose turn would come later than that is refused at once."""
    penalty_seconds: float = 900.0
    """How long nothing is asked after a 429: the gateway's penalty box, which is documented as
    fifteen minutes."""
    status_seconds: float = 10.0
    """How often the session is looked at when nobody wants anything."""
    history_at_once: int = 2
    """Of the five that are documented: two of us run for a moment during an update."""
