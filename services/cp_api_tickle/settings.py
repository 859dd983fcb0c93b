"""cp_api_tickle's settings."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api_tickle's settings."""

    # An empty variable counts as unset: an empty path would mean the current directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    gateway_url: str = "http://cp_gateway:5000"
    """The gateway or its simulator; the real one uses https with a self-signed certificate."""
    gateway_ca: Path | None = None
    """The gateway's certificate; without it, the system's authorities are trusted."""
    gateway_verify: bool = True
    """False trusts whatever answers at that address, and logs a warning at every start."""
    gateway_seconds: float = 10.0
    """How long the gateway may take to answer one request."""
    every_seconds: float = Field(default=60.0, gt=0)
    """From one tickle to the next, shortened by a random tenth at most. The session ends when the
    gateway gets no request for several minutes."""
    lost_after_seconds: float = Field(default=300.0, ge=0)
    """How long a session may fail before it counts as lost. The nightly reset takes minutes."""
    alarm_webhook_url: SecretStr | None = None
    """Where to POST alarms as JSON. A secret: whoever knows such an address may post to it."""
