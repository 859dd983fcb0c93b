"""What auth is told from outside."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import NoDecode

from runtime.web.settings import WebSettings

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fd00::/8")


class Settings(WebSettings):
    """Auth's settings; those of every service are in `WebSettings`."""

    redis_url: str = Field(default="redis://redis:6379/0", pattern=r"^(rediss?|unix)://")
    """Where its state is, without a password. That Redis must write every command to disk before
    it answers (`appendonly yes`, `appendfsync always`): an answered 201 is a promise."""
    redis_password: SecretStr = SecretStr("")
    """Its password; empty where it asks for none."""
    access_seconds: int = Field(default=900, ge=10)
    """How long an access token is good."""
    refresh_seconds: int = Field(default=30 * 86_400, ge=60)
    """How long a login lasts without being used."""
    most_logins: int = Field(default=50, ge=1)
    """Logins an account may have at once; the one not renewed for longest ends for another."""
    most_tokens: int = Field(default=20, ge=1)
    """API tokens an account may have."""
    hashes_at_once: int = Field(default=2, ge=1, le=16)
    """Passwords hashed at once, each with 19 MiB and a core."""
    tries_free: int = Field(default=8, ge=1)
    """Logins for one account until the first pause."""
    tries_free_client: int = Field(default=40, ge=1)
    """Logins from one address until the first pause."""
    sign_ups_free: int = Field(default=20, ge=1)
    """Accounts from one address until the first pause."""
    pause_seconds: int = Field(default=15, ge=1)
    """The first pause; each further try doubles it."""
    pause_most_seconds: int = Field(default=900, ge=1)
    """The longest pause: nobody can be locked out of an account for longer by another's tries."""
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=_PRIVATE, validate_default=True
    )
    """Whose `X-Forwarded-For` is believed: networks with commas between. By default all private
    ones, among them the cluster's; only the ingress and our services can reach auth at all."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _between_commas(cls, told: object) -> object:
        return (
            [one.strip() for one in told.split(",") if one.strip()]
            if isinstance(told, str)
            else told
        )
