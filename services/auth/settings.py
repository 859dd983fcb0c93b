"""Auth's settings."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import NoDecode

from runtime.web.settings import WebSettings

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fd00::/8")


class Settings(WebSettings):
    """Settings for auth only. Settings that all services share are in `WebSettings`."""

    redis_url: str = Field(default="redis://redis:6379/0", pattern=r"^(rediss?|unix)://")
    """The URL of auth's Redis server, without a password. Redis must write every command to disk
    before it responds (`appendonly yes`, `appendfsync always`), so that no new account is lost."""
    redis_password: SecretStr = SecretStr("")
    """The Redis password; empty if Redis does not require a password."""
    access_seconds: int = Field(default=900, ge=10)
    """How long an access token is valid, in seconds."""
    refresh_seconds: int = Field(default=30 * 86_400, ge=60)
    """How long a login lasts without being renewed, in seconds."""
    most_logins: int = Field(default=50, ge=1)
    """The maximum number of logins per account. A further login ends the login that was renewed
    least recently."""
    most_tokens: int = Field(default=20, ge=1)
    """The maximum number of API tokens per account."""
    hashes_at_once: int = Field(default=2, ge=1, le=16)
    """How many passwords may be hashed at the same time. Each hash uses 19 MiB and one core."""
    tries_free: int = Field(default=8, ge=1)
    """How many times a user may try to log in to one account before the first pause."""
    tries_free_client: int = Field(default=40, ge=1)
    """How many login attempts are allowed from one client address before the first pause."""
    sign_ups_free: int = Field(default=20, ge=1)
    """How many sign-ups are allowed from one client address before the first pause."""
    pause_seconds: int = Field(default=15, ge=1)
    """The length of the first pause, in seconds. Each further attempt doubles the pause."""
    pause_most_seconds: int = Field(default=900, ge=1)
    """The longest pause, in seconds. An attacker who guesses passwords can lock the owner out for
    this long."""
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=_PRIVATE, validate_default=True
    )
    """Networks whose `X-Forwarded-For` headers are trusted, separated by commas. The default is all
    private networks, including the cluster's, because only the ingress and our services can reach
    auth."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [network.strip() for network in value.split(",") if network.strip()]
