"""Provides a bounded pool of connections to Redis and translates Redis errors.

Rule: if Redis fails, auth responds that it is unavailable, never that the caller's token is
invalid. This also applies if Redis rejects our password.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from runtime.errors import UnavailableError
from services.auth.settings import Settings


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[Redis]:
    """Yield a Redis client, which connects when it sends its first command."""
    # Callers wait for a free connection instead of failing immediately.
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        password=settings.redis_password.get_secret_value() or None,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
        max_connections=50,
        timeout=3,
        # Never repeat a write if its response was lost: a refresh token sent twice counts as reuse.
        retry=Retry(ExponentialBackoff(), 0),
        driver_info=None,
    )
    redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        # redis-py raises a TimeoutError if the connection does not close in time.
        with suppress(RedisError):
            await redis.aclose()


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Translate Redis errors into UnavailableError; the message begins with `attempt`."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise UnavailableError(f"{attempt}: Redis rejected our password") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: Redis did not respond") from exc
