"""How Redis is asked: a bounded pool of connections, and one translation of what goes wrong.

Rule: whatever Redis answers, a caller of auth hears that auth is away, and never that his token is
refused: a wrong password of *ours* must not look like a wrong token of his.
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
    """Redis; connects when it is first asked."""
    # More callers than connections wait for their turn instead of being refused.
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        password=settings.redis_password.get_secret_value() or None,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
        max_connections=50,
        timeout=3,
        # A write whose answer was lost is not sent again: a refresh token sent twice is reuse.
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
    """Redis's errors as ours; the message names the attempt."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise UnavailableError(f"{attempt}: Redis refuses our password") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: Redis does not answer") from exc
