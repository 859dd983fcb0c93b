"""Auth as a process over a real Redis, including what attackers and thieves would try."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from site_stack import Process

from lab.site import host_stores
from runtime import clock
from runtime.errors import GoneError, RefusedError, UnavailableError
from services.peers.auth import (
    SCOPES,
    Auth,
    InvalidError,
    Login,
    RateLimitedError,
    TakenError,
)

EMAIL = "reader@example.com"
PASSWORD = "a long enough password"
Opened = Callable[..., Process]


@pytest.fixture
def processes(tmp_path: Path, redis_store: host_stores.Redis) -> Iterator[Opened]:
    """Starts auth over an empty Redis, with the given settings."""
    redis_store.empty()
    running: list[Process] = []

    def start(**settings: str) -> Process:
        environment = {"REDIS_URL": redis_store.url, "REDIS_PASSWORD": redis_store.password}
        process = Process("auth", tmp_path / str(len(running)), environment | settings)
        running.append(process)
        process.start()
        process.wait()
        return process

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def process(processes: Opened) -> Process:
    return processes()


@pytest.fixture
async def auth(process: Process, session: aiohttp.ClientSession) -> Auth:
    return Auth(session, process.url)


async def signed_up(auth: Auth, email: str = EMAIL) -> Login:
    await auth.sign_up(email, PASSWORD)
    return await auth.login(email, PASSWORD)


async def raw(
    session: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> tuple[int, Mapping[str, str], Any]:
    async with session.request(method, url, **options) as answer:
        content = await answer.json() if "json" in answer.content_type else None
        return answer.status, answer.headers.copy(), content


async def guess(auth: Auth, email: str, client: str | None = None) -> Any:
    """The error that answers a wrong guess."""
    with pytest.raises(RefusedError) as raised:
        await auth.login(email, "a guess, and wrong", client=client)
    return raised.value


async def test_an_account_logs_in_and_its_login_identifies_it(auth: Auth) -> None:
    login = await signed_up(auth)

    verified = await auth.verify(login.access)
    assert verified is not None
    assert (verified.kind, verified.account, verified.email) == ("login", login.account, EMAIL)
    assert set(verified.scopes) == set(SCOPES)
    assert (await auth.me(login.access)).email == EMAIL


async def test_an_address_has_one_account_however_it_is_spelled(auth: Auth) -> None:
    await auth.sign_up("Reader@Example.com", PASSWORD)
    with pytest.raises(TakenError):
        await auth.sign_up("reader@EXAMPLE.com", PASSWORD)
    assert (await auth.login("READER@example.com", PASSWORD)).email == EMAIL


async def test_simultaneous_sign_ups_create_one_account(auth: Auth) -> None:
    outcomes = await asyncio.gather(
        *(auth.sign_up(EMAIL, PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert (
        sorted(type(outcome).__name__ for outcome in outcomes) == ["Account"] + ["TakenError"] * 4
    )


async def test_an_unknown_account_is_refused_in_the_same_words(
    process: Process, auth: Auth, session: aiohttp.ClientSession
) -> None:
    await auth.sign_up(EMAIL, PASSWORD)
    answers = []
    for email in (EMAIL, "nobody@example.com"):
        body = {"email": email, "password": "not the password"}
        status, _, problem = await raw(session, "POST", f"{process.url}/login", json=body)
        answers.append((status, {k: v for k, v in problem.items() if k != "request_id"}))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


async def test_a_refresh_token_buys_one_more_login(auth: Auth) -> None:
    first = await signed_up(auth)
    second = await auth.refresh(first.refresh)
    third = await auth.refresh(second.refresh)
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    assert await auth.verify(third.access) is not None


async def test_a_refresh_token_used_twice_ends_the_login_for_both(auth: Auth) -> None:
    stolen = await signed_up(auth)
    owners = await auth.refresh(stolen.refresh)

    with pytest.raises(RefusedError):
        await auth.refresh(stolen.refresh)

    assert await auth.verify(owners.access) is None
    with pytest.raises(RefusedError):
        await auth.refresh(owners.refresh)


async def test_of_two_simultaneous_refreshes_one_wins_and_the_other_ends_its_login(
    auth: Auth,
) -> None:
    login = await signed_up(auth)
    outcomes = await asyncio.gather(
        *(auth.refresh(login.refresh) for _ in range(2)), return_exceptions=True
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, Login)]
    assert len(winners) == 1
    assert await auth.verify(winners[0].access) is None


async def test_a_token_serves_only_its_own_purpose(auth: Auth) -> None:
    login = await signed_up(auth)
    assert await auth.verify(login.refresh) is None
    with pytest.raises(RefusedError):
        await auth.refresh(login.access)
    family = login.refresh.partition(".")[0]
    with pytest.raises(RefusedError):
        await auth.refresh(family)
    assert await auth.verify(login.access) is not None


async def test_a_forged_refresh_token_of_a_known_family_ends_the_login(auth: Auth) -> None:
    login = await signed_up(auth)
    family, _, secret = login.refresh.partition(".")
    with pytest.raises(RefusedError):
        await auth.refresh(f"{family}.{secret[::-1]}")
    assert await auth.verify(login.access) is None


async def test_a_login_too_many_ends_the_oldest(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(MOST_LOGINS="2").url)
    logins = [await signed_up(auth)] + [await auth.login(EMAIL, PASSWORD) for _ in range(3)]
    valid = [login for login in logins if await auth.verify(login.access) is not None]
    assert len(valid) == 2


async def test_reuse_in_one_login_leaves_the_accounts_other_logins_alone(auth: Auth) -> None:
    first = await signed_up(auth)
    other = await auth.login(EMAIL, PASSWORD)
    await auth.refresh(first.refresh)
    with pytest.raises(RefusedError):
        await auth.refresh(first.refresh)
    assert await auth.verify(other.access) is not None


async def test_an_access_token_expires(
    processes: Opened, session: aiohttp.ClientSession, eventually: Any
) -> None:
    auth = Auth(session, processes(ACCESS_SECONDS="10").url)
    login = await signed_up(auth)
    assert login.access_expires - clock.now() <= timedelta(seconds=10)

    async def has_ended() -> bool:
        return await auth.verify(login.access) is None

    await eventually(has_ended, within=30)
    assert await auth.verify((await auth.refresh(login.refresh)).access) is not None


async def test_logging_out_ends_the_access_token_at_once(auth: Auth) -> None:
    login = await signed_up(auth)
    await auth.logout(login.refresh)
    assert await auth.verify(login.access) is None
    with pytest.raises(RefusedError):
        await auth.refresh(login.refresh)


async def test_logging_out_everywhere_ends_every_login(auth: Auth) -> None:
    logins = [await signed_up(auth), await auth.login(EMAIL, PASSWORD)]
    await auth.logout_all(logins[0].access)
    assert [await auth.verify(login.access) for login in logins] == [None, None]


async def test_a_new_password_ends_the_other_logins_and_not_this_one(auth: Auth) -> None:
    mine, thiefs = await signed_up(auth), await auth.login(EMAIL, PASSWORD)
    with pytest.raises(RefusedError):
        await auth.change_password(mine.access, old="not it at all", new="another long password")
    with pytest.raises(InvalidError):
        await auth.change_password(mine.access, old=PASSWORD, new="short")

    await auth.change_password(mine.access, old=PASSWORD, new="another long password")

    assert await auth.verify(mine.access) is not None
    assert await auth.verify(thiefs.access) is None
    with pytest.raises(RefusedError):
        await auth.login(EMAIL, PASSWORD)
    assert await auth.login(EMAIL, "another long password")


async def test_no_login_with_an_old_password_outlives_a_change(auth: Auth) -> None:
    mine = await signed_up(auth)
    outcomes = await asyncio.gather(
        auth.change_password(mine.access, old=PASSWORD, new="another long password"),
        *(auth.login(EMAIL, PASSWORD) for _ in range(5)),
        return_exceptions=True,
    )
    assert outcomes[0] is None
    for outcome in outcomes[1:]:
        assert not isinstance(outcome, Login) or await auth.verify(outcome.access) is None


async def test_an_api_token_opens_its_scopes_until_it_is_revoked(auth: Auth) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="report", scopes=["news:read"])

    verified = await auth.verify(token.token, scope="news:read")
    assert verified is not None
    assert (verified.kind, verified.token, verified.scopes) == ("api", token.id, ("news:read",))
    assert await auth.verify(token.token, scope="usage:read") is None
    (listed,) = await auth.tokens(login.access)
    assert (listed.id, listed.name) == (token.id, "report")
    assert listed.last_used is not None

    await auth.revoke(login.access, token.id)
    assert await auth.verify(token.token) is None
    assert await auth.tokens(login.access) == ()
    with pytest.raises(GoneError):
        await auth.revoke(login.access, token.id)


async def test_an_account_cannot_revoke_anothers_token(auth: Auth) -> None:
    mine, theirs = await signed_up(auth), await signed_up(auth, "other@example.com")
    token = await auth.make_token(mine.access, name="mine", scopes=["news:read"])
    with pytest.raises(GoneError):
        await auth.revoke(theirs.access, token.id)
    assert await auth.verify(token.token) is not None


async def test_an_api_token_cannot_create_tokens_or_change_the_password(auth: Auth) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="all", scopes=SCOPES)
    with pytest.raises(RefusedError):
        await auth.make_token(token.token, name="child", scopes=["news:read"])
    with pytest.raises(RefusedError):
        await auth.change_password(token.token, old=PASSWORD, new="another long password")


async def test_tokens_are_limited_in_number_and_unknown_scopes_are_refused(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    auth = Auth(session, processes(MOST_TOKENS="2").url)
    login = await signed_up(auth)
    with pytest.raises(InvalidError, match="news:read"):
        await auth.make_token(login.access, name="odd", scopes=["everything"])
    for name in ("one", "two"):
        await auth.make_token(login.access, name=name, scopes=["news:read"])
    with pytest.raises(InvalidError, match="2 tokens at most"):
        await auth.make_token(login.access, name="three", scopes=["news:read"])


@pytest.mark.parametrize("change", ["last", "id", "cut", "longer", "empty", "kind"])
async def test_an_altered_token_is_invalid(auth: Auth, change: str) -> None:
    login = await signed_up(auth)
    api_token = await auth.make_token(login.access, name="x", scopes=["news:read"])
    for token in (login.access, api_token.token):
        other = "A" if token[-1] != "A" else "B"
        changed = {
            "last": token[:-1] + other,
            "id": token.replace(api_token.id, "0" * 12),
            "cut": token[:-1],
            "longer": token + "A",
            "empty": "",
            "kind": f"ssw_{token}",
        }[change]
        if changed != token:
            assert await auth.verify(changed) is None


async def test_guessing_is_paused_and_a_pause_ends(
    processes: Opened, session: aiohttp.ClientSession, eventually: Any
) -> None:
    auth = Auth(session, processes(TRIES_FREE="3", PAUSE_SECONDS="2").url)
    await auth.sign_up(EMAIL, PASSWORD)
    errors = [await guess(auth, EMAIL) for _ in range(4)]
    assert [type(error) for error in errors] == [RefusedError] * 3 + [RateLimitedError]
    assert 1 <= errors[3].retry_after <= 2

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


async def test_what_was_answered_survives_the_killing_of_redis(
    process: Process, auth: Auth, session: aiohttp.ClientSession, stores: Any, eventually: Any
) -> None:
    login = await signed_up(auth)
    token = await auth.make_token(login.access, name="kept", scopes=["news:read"])

    await stores.stop("redis")
    with pytest.raises(UnavailableError):
        await auth.verify(token.token)
    status, headers, content = await raw(session, "POST", f"{process.url}/refresh", json={})
    assert status == 422
    status, headers, content = await raw(
        session, "POST", f"{process.url}/refresh", json={"refresh": login.refresh}
    )
    assert (status, "Retry-After" in headers) == (503, True)
    _, _, content = await raw(session, "GET", f"{process.url}/health/ready")
    assert content["status"] == "degraded"
    assert "Redis" in content["checks"]["redis"]

    await stores.start("redis")

    async def is_back() -> bool:
        try:
            return await auth.verify(token.token) is not None
        except UnavailableError:
            return False

    await eventually(is_back)
    assert await auth.refresh(login.refresh)


async def test_our_own_wrong_password_does_not_look_like_an_invalid_token(
    processes: Opened, session: aiohttp.ClientSession
) -> None:
    process = processes(REDIS_PASSWORD="not it")
    auth = Auth(session, process.url)
    with pytest.raises(UnavailableError):
        await auth.verify("A" * 43)
    assert await auth.check() == "auth is degraded"
    _, _, content = await raw(session, "GET", f"{process.url}/health/ready")
    assert "refuses our password" in content["checks"]["redis"]


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
    process: Process, auth: Auth, session: aiohttp.ClientSession
) -> None:
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


async def test_the_log_contains_no_addresses_and_no_tokens(process: Process, auth: Auth) -> None:
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
