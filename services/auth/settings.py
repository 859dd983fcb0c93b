"""Auth's settings."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import NoDecode

from runtime.web.settings import WebSettings

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fd00::/8")


class Settings(WebSettings):
    """Auth's own settings; those of every service are in `WebSettings`."""

    redis_url: str = Field(default="redis://redis:6379/0", pattern=r"^(rediss?|unix)://")
    """The Redis with its state, without a password. It must write every command to disk before it
    answers (`appendonly yes`, `appendfsync always`): an account that was answered 201 must last."""
    redis_password: SecretStr = SecretStr("")
    """Redis's password; empty if it has none."""
    access_seconds: int = Field(default=900, ge=10)
    """How long an access token is valid."""
    refresh_seconds: int = Field(default=30 * 86_400, ge=60)
    """How long an unused login lasts."""
    most_logins: int = Field(default=50, ge=1)
    """Logins an account may have at once; a further one ends the least recently renewed."""
    most_tokens: int = Field(default=20, ge=1)
    """API tokens an account may have."""
    hashes_at_once: int = Field(default=2, ge=1, le=16)
    """Passwords hashed at once; each takes 19 MiB and a core."""
    tries_free: int = Field(default=8, ge=1)
    """Attempts to log in to one account before the first pause."""
    tries_free_client: int = Field(default=40, ge=1)
    """Attempts to log in from one address before the first pause."""
    sign_ups_free: int = Field(default=20, ge=1)
    """Sign-ups from one address before the first pause."""
    pause_seconds: int = Field(default=15, ge=1)
    """The first pause; each further attempt doubles it."""
    pause_most_seconds: int = Field(default=900, ge=1)
    """The longest pause, and so the longest time for which guessing can lock an owner out."""
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=_PRIVATE, validate_default=True
    )
    """Networks whose `X-Forwarded-For` is trusted, separated by commas. By default all private
    ones, including the cluster's: only the ingress and our services can reach auth."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [network.strip() for network in value.split(",") if network.strip()]
