"""Auth under guessing, odd requests and a failing Redis; what it counts, logs and stores."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from auth_stage import EMAIL, PASSWORD, Opened, guess, raw, signed_up
from redis.asyncio import Redis
from site_stack import Process

from lab.site import host_stores
from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import (
    Auth,
    RateLimitedError,
)


async def test_guessing_is_paused_and_a_pause_ends(
    processes: Opened, session: aiohttp.ClientSession, eventually: Any
) -> None:
    auth = Auth(session, processes(TRIES_FREE="3", PAUSE_SECONDS="6").url)
    await auth.sign_up(EMAIL, PASSWORD)
    errors = [await guess(auth, EMAIL) for _ in range(4)]
    assert [type(error) for error in errors] == [RefusedError] * 3 + [RateLimitedError]
    assert 1 <= errors[3].retry_after <= 6

    async def opens() -> bool:
        try:
            return bool(await auth.login(EMAIL, PASSWORD))
        except RateLimitedError:
            return False

    await eventually(opens, within=20, every=0.5)


async def test_simultaneous_guesses_are_counted_before_they_are_answered(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(TRIES_FREE="3", PAUSE_SECONDS="60").url)
    await auth.sign_up(EMAIL, PASSWORD)
    errors = await asyncio.gather(
        *(auth.login(EMAIL, f"guess {number}") for number in range(20)), return_exceptions=True
    )
    paused = sum(isinstance(error, RateLimitedError) for error in errors)
    assert all(isinstance(error, RefusedError) for error in errors)
    assert paused == 17


async def test_guessing_from_one_address_at_many_accounts_is_paused(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(TRIES_FREE_CLIENT="3", PAUSE_SECONDS="60").url)
    for number in range(3):
        assert type(await guess(auth, f"n{number}@example.com", "203.0.113.9")) is RefusedError
    assert type(await guess(auth, "n4@example.com", "203.0.113.9")) is RateLimitedError
    assert type(await guess(auth, "n4@example.com", "203.0.113.10")) is RefusedError


async def test_logging_in_to_ones_own_account_does_not_reset_the_count_of_guesses(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(TRIES_FREE_CLIENT="3", PAUSE_SECONDS="60").url)
    await auth.sign_up(EMAIL, PASSWORD)
    for number in range(2):
        assert type(await guess(auth, f"n{number}@example.com", "203.0.113.9")) is RefusedError
        assert await auth.login(EMAIL, PASSWORD, client="203.0.113.9")
    assert type(await guess(auth, "n2@example.com", "203.0.113.9")) is RefusedError
    assert type(await guess(auth, "n3@example.com", "203.0.113.9")) is RateLimitedError


async def test_successful_logins_do_not_count_against_an_address(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(TRIES_FREE_CLIENT="2", PAUSE_SECONDS="60").url)
    await auth.sign_up(EMAIL, PASSWORD)
    for _ in range(6):
        assert await auth.login(EMAIL, PASSWORD, client="203.0.113.9")


async def test_of_a_repeated_forwarding_header_the_last_line_counts(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    url = processes(TRIES_FREE_CLIENT="2", PAUSE_SECONDS="60").url
    statuses = []
    for number in range(4):
        lines = [("X-Forwarded-For", f"198.51.100.{number}"), ("X-Forwarded-For", "203.0.113.9")]
        body = {"email": f"n{number}@example.com", "password": PASSWORD}
        statuses.append((await raw(session, "POST", f"{url}/login", json=body, headers=lines))[0])
    assert statuses == [401, 401, 429, 429]


async def test_sign_ups_from_one_address_are_paused(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(SIGN_UPS_FREE="2", PAUSE_SECONDS="60").url)
    for number in range(2):
        await auth.sign_up(f"n{number}@example.com", PASSWORD, client="203.0.113.9")
    with pytest.raises(RateLimitedError):
        await auth.sign_up("n3@example.com", PASSWORD, client="203.0.113.9")


@pytest.mark.parametrize("odd_id", ["a" * 65, "x y", "ä", "<script>", ""])
async def test_an_odd_request_id_is_replaced(
    process: Process, session: aiohttp.ClientSession, odd_id: str
) -> None:
    headers = {"X-Request-Id": odd_id}
    _, answer_headers, _ = await raw(session, "GET", f"{process.url}/health/live", headers=headers)
    assert answer_headers["X-Request-Id"] != odd_id
    assert answer_headers["X-Request-Id"].isalnum()


async def test_a_request_id_with_a_line_break_adds_no_header(process: Process) -> None:
    reader, writer = await asyncio.open_connection("localhost", process.port)
    writer.write(
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"X-Request-Id: abc\r X-Injected: yes\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"\nx-injected" not in answer.lower()


async def test_only_the_token_identifies_a_caller_and_no_header_does(
    process: Process, auth: Auth, session: aiohttp.ClientSession
) -> None:
    login = await signed_up(auth)
    url = f"{process.url}/verify"
    faked = {"X-Account": "somebody", "X-Scopes": "news:read"}
    assert (await raw(session, "GET", url, headers=faked))[0] == 401
    with_token = faked | {"Authorization": f"Bearer {login.access}"}
    status, answer_headers, _ = await raw(session, "GET", url, headers=with_token)
    assert (status, answer_headers["X-Account"], answer_headers["X-Token-Kind"]) == (
        200,
        login.account,
        "login",
    )


async def test_a_wrong_field_is_named_and_its_value_not_repeated(
    process: Process, session: aiohttp.ClientSession
) -> None:
    url = f"{process.url}/accounts"
    body = {"email": EMAIL, "password": "secret password", "admin": True}
    status, _, problem = await raw(session, "POST", url, json=body)
    assert (status, problem["detail"]) == (422, "admin: Extra inputs are not permitted")
    assert "secret password" not in str(problem)
    assert (await raw(session, "POST", url, data="no json"))[0] == 415
    headers = {"Content-Type": "application/json"}
    assert (await raw(session, "POST", url, data="no json", headers=headers))[0] == 400
    assert (await raw(session, "POST", url, data="x" * 300_000, headers=headers))[0] == 413


async def until_ready_says(
    problem: str, process: Process, session: aiohttp.ClientSession, eventually: Any
) -> None:
    """Wait for this problem of Redis: a check that takes too long does not name it."""

    async def is_said() -> bool:
        _, _, content = await raw(session, "GET", f"{process.url}/health/ready")
        return content["status"] == "degraded" and problem in content["checks"]["redis"]

    await eventually(is_said)


async def test_what_was_answered_survives_the_killing_of_redis(
    process: Process, auth: Auth, session: aiohttp.ClientSession, stores: Any, eventually: Any
) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="kept", scopes=["news:read"])

    await stores.stop("redis")
    with pytest.raises(UnavailableError):
        await auth.verify(token.token)
    status, headers, _ = await raw(session, "POST", f"{process.url}/refresh", json={})
    assert status == 422
    status, headers, _ = await raw(
        session, "POST", f"{process.url}/refresh", json={"refresh": login.refresh}
    )
    assert (status, "Retry-After" in headers) == (503, True)
    await until_ready_says("Redis", process, session, eventually)

    await stores.start("redis")

    async def is_back() -> bool:
        try:
            return await auth.verify(token.token) is not None
        except UnavailableError:
            return False

    await eventually(is_back)
    assert await auth.refresh(login.refresh)


async def test_our_own_wrong_password_does_not_look_like_an_invalid_token(
    processes: Opened, session: aiohttp.ClientSession, eventually: Any
) -> None:
    process = processes(REDIS_PASSWORD="not it")
    auth = Auth(session, process.url)
    with pytest.raises(UnavailableError):
        await auth.verify("A" * 43)
    assert await auth.check() == "auth is degraded"
    await until_ready_says("rejected our password", process, session, eventually)


async def test_a_full_redis_still_verifies_tokens(
    auth: Auth, redis_store: host_stores.Redis
) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="x", scopes=["news:read"])
    async with Redis.from_url(redis_store.url, password=redis_store.password) as redis:
        await redis.config_set("maxmemory", "1")
        try:
            assert await auth.verify(token.token) is not None
            assert await auth.verify(login.access) is not None
            with pytest.raises(UnavailableError):
                await auth.refresh(login.refresh)
        finally:
            await redis.config_set("maxmemory", "0")
    assert await auth.refresh(login.refresh)


async def test_redis_stores_no_secret(auth: Auth, redis_store: host_stores.Redis) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="x", scopes=["news:read"])
    login = await auth.refresh(login.refresh)
    async with Redis.from_url(redis_store.url, password=redis_store.password) as redis:
        names = [key async for key in redis.scan_iter("*")]
        dump = b" ".join(names) + b" ".join([await redis.dump(key) or b"" for key in names])
    parts = [login.access, *login.refresh.split("."), token.token.partition(token.id)[2][1:]]
    for secret in (*parts, PASSWORD):
        assert secret.encode() not in dump
    assert not [key for key in names if b"example" in key]


async def test_logins_and_tokens_are_counted_by_outcome(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    process = processes()
    auth = Auth(session, process.url)
    login = await signed_up(auth)
    await guess(auth, EMAIL)
    token = await auth.make_token(login.access, name="x", scopes=["news:read"])
    await auth.verify(token.token)
    await auth.verify("A" * 43)
    await auth.revoke(login.access, token.id)
    async with session.get(f"{process.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    for line in (
        'auth_logins_total{outcome="good"} 1.0',
        'auth_logins_total{outcome="refused"} 1.0',
        'auth_api_tokens_total{what="made"} 1.0',
        'auth_api_tokens_total{what="revoked"} 1.0',
        'auth_verifications_total{outcome="api"} 1.0',
        'auth_verifications_total{outcome="unknown"} 1.0',
    ):
        assert line in lines


async def test_the_log_contains_no_addresses_and_no_tokens(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    process = processes()
    auth = Auth(session, process.url)
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="x", scopes=["news:read"])
    await auth.verify(token.token)
    process.stop()
    assert "account created" in process.log
    for secret in (EMAIL, PASSWORD, login.access, login.refresh, token.token):
        assert secret not in process.log


def test_wrong_settings_are_named_without_their_values(tmp_path: Path) -> None:
    process = Process("auth", tmp_path, {"ACCESS_SECONDS": "hunter2"})
    process.start()
    assert process._process is not None
    assert process._process.wait(60) == 78
    assert "ACCESS_SECONDS" in process.log
    assert "hunter2" not in process.log
