"""cp_api_tickle's settings."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api_tickle's settings."""

    # Treat empty variables as unset, because an empty path would mean the current directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    gateway_url: str = "http://cp_gateway:5000"
    """The URL of the gateway or the simulator. The real gateway uses https with a self-signed
    certificate."""
    gateway_ca: Path | None = None
    """The file with the gateway's certificate. If unset, the system's certificate authorities are
    trusted."""
    gateway_verify: bool = True
    """Whether to verify the gateway's certificate. If false, the service trusts any server at the
    gateway's URL, and logs a warning at every start."""
    gateway_seconds: float = 10.0
    """The time-out for one request to the gateway, in seconds."""
    every_seconds: float = Field(default=60.0, gt=0)
    """The interval between tickles, in seconds, randomly shortened by up to a tenth. The session
    ends if the gateway receives no requests for several minutes."""
    lost_after_seconds: float = Field(default=300.0, ge=0)
    """How long a session may fail before it counts as lost, in seconds. The nightly reset at
    Interactive Brokers takes several minutes."""
    alarm_webhook_url: SecretStr | None = None
    """The URL to which alarms are sent as JSON. It is a secret, because anyone who has the URL can
    post to it."""
