"""Logins in Redis: sessions, and the hashes of the tokens that open and renew them.

Rule: every method is one round trip, and what has to be one step is a script.
"""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.accounts import Kept
from services.auth.edges.asking import translated
from services.auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Hashes:
    """The tokens of a login, only as what is kept of them."""

    family: str = field(repr=False)
    refresh: str = field(repr=False)
    access: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """Whose an access token is."""

    session: str
    account: str
    email: str
    seconds_left: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a refresh token: `renewed`, `unknown`, `ended` or `reused`."""

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

    async def begin(self, session: str, of: Kept, hashes: Hashes) -> bool:
        """Begin a session; False when the password is not the one of `of` any more."""
        with translated("beginning a login"):
            told = await self._login(
                keys=[
                    keys.session(session),
                    keys.sessions(of.account),
                    keys.family(hashes.family),
                    keys.access(hashes.access),
                    keys.account(of.account),
                ],
                args=[
                    keys.PREFIX,
                    of.account,
                    of.email,
                    hashes.refresh,
                    session,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                    of.password,
                    self._settings.most_logins,
                ],
            )
        return bool(int(told))

    async def renew(self, old: str, hashes: Hashes) -> Renewed:
        """Use a refresh token up, which is given by its hash."""
        with translated("renewing a login"):
            told = await self._refresh(
                keys=[keys.family(hashes.family), keys.access(hashes.access)],
                args=[
                    keys.PREFIX,
                    old,
                    hashes.refresh,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                ],
            )
        return Renewed(*told)

    async def by_access(self, access: str) -> Session | None:
        """Whose an access token is, by its hash."""
        with translated("reading a login"):
            told = await self._access(keys=[keys.access(access)], args=[keys.PREFIX])
        return Session(told[0], told[1], told[2], int(told[3])) if told else None

    async def end(self, family: str) -> None:
        """End the session of a family of refresh tokens, by its hash; nothing when it has."""
        with translated("ending a login"):
            await self._end(keys=[keys.family(family)], args=[keys.PREFIX])

    async def end_all(self, account_id: str) -> int:
        """End all sessions of an account; returns how many."""
        with translated("ending logins"):
            return int(await self._end_all(keys=[keys.sessions(account_id)], args=[keys.PREFIX]))
