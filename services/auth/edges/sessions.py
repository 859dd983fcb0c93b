"""Logins in Redis: sessions, and the hashes of their access and refresh tokens.

Rule: every method is one round trip, and what must be atomic is a script.
"""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.accounts import StoredAccount
from services.auth.edges.connection import translated
from services.auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of a login's tokens."""

    family: str = field(repr=False)
    refresh: str = field(repr=False)
    access: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """The session of an access token."""

    session: str
    account: str
    email: str
    seconds_left: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """The outcome of using a refresh token: `renewed`, `unknown`, `ended` or `reused`."""

    outcome: str
    account: str = ""
    email: str = ""


class Sessions:
    """Every method raises UnavailableError when Redis is away."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._settings = settings
        self._login = redis.register_script(scripts.LOGIN)
        self._refresh = redis.register_script(scripts.REFRESH)
        self._access = redis.register_script(scripts.ACCESS)
        self._end = redis.register_script(scripts.END)
        self._end_all = redis.register_script(scripts.END_ALL)

    async def begin(self, session: str, account: StoredAccount, hashes: Hashes) -> bool:
        """Begin a session; False when the account's password has changed since it was read."""
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
        """Use up the refresh token with the hash `old`."""
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
        """The session of the access token with this hash; None when there is none."""
        with translated("reading a login"):
            fields = await self._access(keys=[keys.access(access)], args=[keys.PREFIX])
        return Session(fields[0], fields[1], fields[2], int(fields[3])) if fields else None

    async def end(self, family: str) -> None:
        """End the session of the family with this hash, if it has not ended."""
        with translated("ending a login"):
            await self._end(keys=[keys.family(family)], args=[keys.PREFIX])

    async def end_all(self, account_id: str) -> int:
        """End all sessions of an account and return how many there were."""
        with translated("ending logins"):
            return int(await self._end_all(keys=[keys.sessions(account_id)], args=[keys.PREFIX]))
