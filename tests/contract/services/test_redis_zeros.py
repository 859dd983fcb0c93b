"""Redis starts again after a power cut that left zeros at the end of its append-only file."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from ports import free_port
from programs import needs
from redis.asyncio import Redis
from redis.exceptions import RedisError

SCRIPT: Final = Path(__file__).parents[3] / "compose" / "scripts" / "start-redis.sh"
PASSWORD: Final = "only-redis-knows"
Eventually = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def redis_of(place: Path, eventually: Eventually) -> AsyncIterator[Redis]:
    """Redis, started by the stack's script; the stand-in of its image's script adds a port."""
    port = free_port()
    program = place / "docker-entrypoint.sh"
    program.write_text(
        f'#!/bin/sh\nshift\nexec {needs("redis-server")} "$@" --port {port} --bind 127.0.0.1\n'
    )
    program.chmod(0o755)
    (place / "password").write_text(PASSWORD)
    env = {"PATH": f"{place}:{os.environ['PATH']}", "DATA": str(place)}
    env["PASSWORD_FILE"] = str(place / "password")
    with (place / "log").open("a") as log:
        process = subprocess.Popen(  # noqa: ASYNC220
            ["/bin/sh", str(SCRIPT)], cwd=place, env=env, stdout=log, stderr=log
        )
    redis = Redis(port=port, password=PASSWORD, decode_responses=True)

    async def responds() -> bool:
        assert process.poll() is None, (place / "log").read_text()
        try:
            return bool(await redis.ping())
        except RedisError:
            return False

    try:
        await eventually(responds)
        yield redis
        await redis.aclose()
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


@pytest.mark.parametrize("torn", [b"", b"*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$5\r\nun"])
async def test_what_was_confirmed_is_there_after_zeros_at_the_end(
    tmp_path: Path, eventually: Eventually, torn: bytes
) -> None:
    async with redis_of(tmp_path, eventually) as redis:
        for name in "abc":
            await redis.set(name, f"value {name}")
    (file,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    with file.open("ab") as damaged:
        damaged.write(torn + b"\0" * 200)

    async with redis_of(tmp_path, eventually) as redis:
        assert [await redis.get(name) for name in "abc"] == ["value a", "value b", "value c"]
        assert await redis.get("d") is None
        await redis.set("d", "value d")
    async with redis_of(tmp_path, eventually) as redis:
        assert await redis.get("d") == "value d"
    assert len(list((tmp_path / "damaged").iterdir())) == 1
