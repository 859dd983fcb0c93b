"""Auth's state in Redis.

Rule: every method is one round trip, and what has to be one step is a script. Nothing is answered
before Redis has taken it; whether that is on a disk is Redis's setting (`Settings.redis_url`).
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from runtime.errors import RefusedError, UnavailableError
from services.auth import keys, scripts
from services.auth.lockout import FORGET_SECONDS, Limit
from services.auth.settings import Settings

_LAST_USED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Kept:
    """An account as it is kept."""

    account: str
    email: str
    password: str = field(repr=False)
    created: float


@dataclass(frozen=True, slots=True)
class LoginKept:
    """A session just begun or renewed: only hashes of its tokens."""

    session: str
    account: str
    email: str
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


class Store:
    """Open only inside `opened`.

    Every method raises UnavailableError when Redis is away, RefusedError when it takes no password.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        # Answers are text: redis-py's types leave that open.
        self._redis: Any = redis
        self._settings = settings
        self._try = redis.register_script(scripts.TRY)
        self._sign_up = redis.register_script(scripts.SIGN_UP)
        self._login = redis.register_script(scripts.LOGIN)
        self._refresh = redis.register_script(scripts.REFRESH)
        self._access = redis.register_script(scripts.ACCESS)
        self._make = redis.register_script(scripts.ADD_API)
        self._revoke = redis.register_script(scripts.REVOKE)

    async def check(self) -> str | None:
        """None when Redis answers."""
        with _translated("asking Redis"):
            await self._redis.ping()
        return None

    # Tries.

    async def begin_try(self, limit: Limit, subject: str, *, now: float) -> int:
        """Count a try, and begin the pause after it; returns the seconds to wait before it."""
        with _translated("counting a try"):
            told = await self._try(
                keys=[keys.tries(limit.kind, subject)],
                args=[now, FORGET_SECONDS, *limit.pauses()],
            )
        return int(told[1])

    async def forget_tries(self, kind: str, subject: str) -> None:
        """The try was good."""
        with _translated("forgetting tries"):
            await self._redis.delete(keys.tries(kind, subject))

    # Accounts.

    async def add_account(self, kept: Kept) -> bool:
        """Keep a new account; False when its address is taken."""
        with _translated("making an account"):
            told = await self._sign_up(
                keys=[keys.email(kept.email), keys.account(kept.account)],
                args=[kept.account, kept.email, kept.password, kept.created],
            )
        return bool(int(told))

    async def account_of(self, email: str) -> Kept | None:
        """The account of a normalised address."""
        with _translated("reading an account"):
            account_id = await self._redis.get(keys.email(email))
            return await self.account(account_id) if account_id else None

    async def account(self, account_id: str) -> Kept | None:
        """An account by its id."""
        with _translated("reading an account"):
            told = await self._redis.hgetall(keys.account(account_id))
        if not told:
            return None
        return Kept(account_id, told["email"], told["password"], float(told["created"]))

    async def set_password(self, account_id: str, password: str) -> None:
        """Keep another hash."""
        with _translated("changing a password"):
            await self._redis.hset(keys.account(account_id), "password", password)

    # Logins.

    async def add_login(self, kept: LoginKept) -> None:
        """Begin a session."""
        with _translated("beginning a login"):
            await self._login(
                keys=[
                    keys.session(kept.session),
                    keys.sessions(kept.account),
                    keys.refresh(kept.refresh),
                    keys.access(kept.access),
                ],
                args=[
                    kept.account,
                    kept.email,
                    kept.refresh,
                    kept.session,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                ],
            )

    async def renew_login(self, old: str, *, refresh: str, access: str) -> Renewed:
        """Use a refresh token up; all by their hashes."""
        with _translated("renewing a login"):
            told = await self._refresh(
                keys=[],
                args=[
                    keys.PREFIX,
                    old,
                    refresh,
                    access,
                    self._settings.refresh_seconds,
                    self._settings.access_seconds,
                ],
            )
        return Renewed(*told)

    async def session_of(self, access: str) -> Session | None:
        """Whose an access token is, by its hash."""
        with _translated("reading a login"):
            told = await self._access(keys=[keys.access(access)], args=[keys.PREFIX])
        return Session(told[0], told[1], told[2], int(told[3])) if told else None

    async def end_login(self, refresh: str) -> None:
        """End the session of a refresh token, by its hash; nothing when there is none."""
        with _translated("ending a login"):
            session = await self._redis.get(keys.refresh(refresh))
            if session:
                account = await self._redis.hget(keys.session(session), "account")
                await self._end(account or "", [session])

    async def end_logins(self, account_id: str, *, but: str = "") -> int:
        """End all sessions of an account but one; returns how many."""
        with _translated("ending logins"):
            found = await self._redis.smembers(keys.sessions(account_id))
            ended = [session for session in found if session != but]
            await self._end(account_id, ended)
        return len(ended)

    async def _end(self, account_id: str, sessions: Sequence[str]) -> None:
        if sessions:
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.delete(*map(keys.session, sessions))
            pipeline.srem(keys.sessions(account_id), *sessions)
            await pipeline.execute()

    # API tokens.

    async def add_api_token(
        self, account_id: str, token_id: str, told: Mapping[str, str], *, at: float, most: int
    ) -> bool:
        """Keep a token; False when the account has `most`."""
        with _translated("making an API token"):
            fields = [part for pair in told.items() for part in pair]
            made = await self._make(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[most, at, token_id, *fields],
            )
        return bool(int(made))

    async def api_token(self, token_id: str) -> Mapping[str, str]:
        """A token's fields; none when there is no such token."""
        with _translated("reading an API token"):
            told: dict[str, str] = await self._redis.hgetall(keys.api_token(token_id))
        return told

    async def api_tokens(self, account_id: str) -> list[tuple[str, Mapping[str, str]]]:
        """An account's tokens, the newest first."""
        with _translated("listing API tokens"):
            ids = await self._redis.zrevrange(keys.api_tokens(account_id), 0, -1)
            pipeline = self._redis.pipeline(transaction=False)
            for token_id in ids:
                pipeline.hgetall(keys.api_token(token_id))
            found = await pipeline.execute()
        return [(token_id, told) for token_id, told in zip(ids, found, strict=True) if told]

    async def used_api_token(self, token_id: str, *, at: float, before: str) -> None:
        """Note the use, once a minute at most; `before` is the note there is."""
        if before and at - float(before) < _LAST_USED_SECONDS:
            return
        with _translated("noting a use"):
            # Only of a token that is still there: one revoked meanwhile stays away.
            if await self._redis.exists(keys.api_token(token_id)):
                await self._redis.hset(keys.api_token(token_id), "last_used", str(at))

    async def revoke_api_token(self, account_id: str, token_id: str) -> bool:
        """Revoke a token; False when the account has none of this id."""
        with _translated("revoking an API token"):
            told = await self._revoke(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[account_id, token_id],
            )
        return bool(int(told))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store; connects when it is first asked."""
    redis = Redis.from_url(
        settings.redis_url,
        password=settings.redis_password.get_secret_value() or None,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
        max_connections=50,
        # A write whose answer was lost is not sent again: a refresh token sent twice is reuse.
        retry=Retry(ExponentialBackoff(), 0),
        driver_info=None,
    )
    try:
        yield Store(redis, settings)
    finally:
        await redis.aclose()


@contextmanager
def _translated(attempt: str) -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(f"{attempt}: Redis refuses our password") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: Redis does not answer") from exc
