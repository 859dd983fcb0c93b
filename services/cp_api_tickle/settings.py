"""What cp_api_tickle is told by its environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.web.settings import WebSettings


class Settings(WebSettings):
    """cp_api_tickle's settings."""

    # An empty variable is one that was not set: a path of nothing would be this directory.
    model_config = SettingsConfigDict(env_ignore_empty=True)

    gateway_url: str = "http://cp_gateway:5000"
    """The gateway or its simulator; the real one speaks https with a certificate of its own."""
    gateway_ca: Path | None = None
    """The certificate to know the gateway by; without one the system's are believed."""
    gateway_verify: bool = True
    """False believes whoever answers at that address, and is warned of at every start."""
    gateway_seconds: float = 10.0
    """How long the gateway may take for one answer."""
    every_seconds: float = Field(default=60.0, gt=0)
    """From one tickle to the next, less up to a tenth so that a fleet does not beat in time.
    The session ends when the gateway hears nothing for several minutes."""
    lost_after_seconds: float = Field(default=300.0, ge=0)
    """A session that is not well for so long is lost. The nightly reset takes minutes."""
    alarm_webhook_url: SecretStr | None = None
    """Where to POST alarms as JSON. A secret: such addresses carry their right to be written to
    in their path."""
