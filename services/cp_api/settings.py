"""cp_api's settings."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api's own settings. None is secret: a person logs in at the gateway itself."""

    # An empty variable counts as unset: an empty path would mean the current directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = 5000
    """The port it listens on."""
    gateway_url: str = "http://cp_gateway:5000"
    """The gateway or its simulator; the real one uses https with a self-signed certificate."""
    gateway_ca: Path | None = None
    """The gateway's certificate; without it, the system's authorities are trusted."""
    gateway_verify: bool = True
    """False trusts whatever answers at that address, and logs a warning at every start."""
    gateway_seconds: float = 5.0
    """How long the gateway may take to answer one request."""
    answer_seconds: float = 8.0
    """How long a caller waits for a fresh answer before it gets a stale one or none."""
    queue_seconds: float = 6.0
    """A request whose turn would come later than this is refused at once."""
    penalty_seconds: float = 900.0
    """How long nothing is sent after a 429: the gateway's penalty is documented as fifteen
    minutes."""
    status_seconds: float = 10.0
    """How often the session is checked while there are no requests."""
    history_at_once: int = 2
    """Requests for history at once; five are documented, and during an update two replicas run."""
