"""cp_api's settings."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api's settings. They contain no secrets; a person logs in to the gateway instead."""

    # Treat empty variables as unset, because an empty path would mean the current directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = 5000
    """The port that the service listens on."""
    gateway_url: str = "http://cp_gateway:5000"
    """The URL of the gateway or the simulator. The real gateway uses https with a self-signed
    certificate."""
    gateway_ca: Path | None = None
    """The file with the gateway's certificate. If unset, the system's certificate authorities are
    trusted."""
    gateway_verify: bool = True
    """Whether to verify the gateway's certificate. If false, the service trusts any server at the
    gateway's URL, and logs a warning at every start."""
    gateway_seconds: float = 5.0
    """The time-out for one request to the gateway, in seconds."""
    answer_seconds: float = 8.0
    """How long a caller waits for fresh data before it gets stale data or an error, in seconds."""
    queue_seconds: float = 6.0
    """The longest time that a request may wait for its turn, in seconds. A request that would have
    to wait longer is rejected immediately."""
    penalty_seconds: float = 900.0
    """How long no requests are sent after a 429, in seconds. The gateway's documented penalty is
    fifteen minutes."""
    status_seconds: float = 10.0
    """The interval between checks of the session, in seconds."""
    history_at_once: int = 2
    """How many history requests may run at the same time. The documented limit is five, and two
    replicas run during an update."""
