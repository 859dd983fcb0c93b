"""A bounded pool of connections to Redis, and the translation of its errors.

Rule: whatever goes wrong in Redis, auth answers that it is unavailable and never that a token is
refused: *our* wrong password must not look like a caller's wrong token.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from runtime.errors import UnavailableError
from services.auth.settings import Settings


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[Redis]:
    """A client of Redis, which connects at its first command."""
    # Callers wait for a free connection instead of being refused.
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        password=settings.redis_password.get_secret_value() or None,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
        max_connections=50,
        timeout=3,
        # A write whose answer was lost is not repeated: a refresh token sent twice counts as reuse.
        retry=Retry(ExponentialBackoff(), 0),
        driver_info=None,
    )
    redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        await redis.aclose()


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Turns Redis's errors into ours; the message names the attempt."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise UnavailableError(f"{attempt}: Redis refuses our password") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: Redis does not answer") from exc
