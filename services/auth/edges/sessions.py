"""Stores logins in Redis: sessions, and the hashes of their access and refresh tokens.

Rule: every method takes one round trip, and every atomic operation is a Lua script.
"""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.accounts import StoredAccount
from services.auth.edges.connection import translated
from services.auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of a login's access token, refresh token and token family."""

    family: str = field(repr=False)
    refresh: str = field(repr=False)
    access: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """The session that an access token belongs to, and the seconds until the token expires."""

    session: str
    account: str
    email: str
    seconds_left: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """The result of using a refresh token; `outcome` is renewed, unknown, ended or reused."""

    outcome: str
    account: str = ""
    email: str = ""


class Sessions:
    """Reads and writes sessions. Every method raises UnavailableError if Redis is unavailable."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._settings = settings
        self._login = redis.register_script(scripts.LOGIN)
        self._refresh = redis.register_script(scripts.REFRESH)
        self._access = redis.register_script(scripts.ACCESS)
        self._end = redis.register_script(scripts.END)
        self._end_all = redis.register_script(scripts.END_ALL)

    async def begin(self, session: str, account: StoredAccount, hashes: Hashes) -> bool:
        """Begin a session; return False if the password has changed since `account` was read."""
        with translated("beginning a login"):
            has_begun = await self._login(
                keys=[
                    keys.session(session),
                    keys.sessions(account.account),
                    keys.family(hashes.family),
                    keys.access(hashes.access),
                    keys.account(account.account),
                ],
                args=[
                    keys.PREFIX,
                    account.account,
                    account.email,
                    hashes.refresh,
                    session,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                    account.password,
                    self._settings.most_logins,
                ],
            )
        return bool(int(has_begun))

    async def renew(self, old: str, hashes: Hashes) -> Renewed:
        """Replace the refresh token whose hash is `old` with the new tokens in `hashes`."""
        with translated("renewing a login"):
            fields = await self._refresh(
                keys=[keys.family(hashes.family), keys.access(hashes.access)],
                args=[
                    keys.PREFIX,
                    old,
                    hashes.refresh,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                ],
            )
        return Renewed(*fields)

    async def by_access(self, access: str) -> Session | None:
        """Return the session for the access token with this hash, or None if there is none."""
        with translated("reading a login"):
            fields = await self._access(keys=[keys.access(access)], args=[keys.PREFIX])
        return Session(fields[0], fields[1], fields[2], int(fields[3])) if fields else None

    async def end(self, family: str) -> None:
        """End the session whose token family has this hash, if the session still exists."""
        with translated("ending a login"):
            await self._end(keys=[keys.family(family)], args=[keys.PREFIX])

    async def end_all(self, account_id: str) -> int:
        """End all of an account's sessions and return how many were ended."""
        with translated("ending logins"):
            return int(await self._end_all(keys=[keys.sessions(account_id)], args=[keys.PREFIX]))
