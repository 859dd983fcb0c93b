"""public_api while a service or store is unavailable, and after its return."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api_stage import PATHS, Account, Client, Eventually, Stage, assert_problem, publish, until

from services.stores.couch import Couch


@pytest.fixture
async def couch(session: aiohttp.ClientSession, couch_url: str) -> Couch:
    """Exactly six articles."""
    opened = Couch(session, couch_url)
    await publish(opened, 6)
    return opened


async def test_without_auth_verified_tokens_work_degraded_and_others_get_503(
    api_stage: Stage,
    api: Client,
    account: Account,
    couch: Couch,
    restarted: Any,
    eventually: Eventually,
) -> None:
    fresh = api.with_token(await account.token())
    assert (await api.get("/v1/news")).status == 200
    start = await restarted(api_stage.auth)

    async def degraded() -> bool:
        answer = await api.get("/v1/news")
        assert answer.status == 200
        return answer.headers.get("Degraded") == "auth"

    assert await eventually(degraded)
    refused = await fresh.get("/v1/news")
    assert_problem(refused, 503)
    assert int(refused.headers["Retry-After"]) >= 1
    ready = await api.get("/health/ready")
    assert (ready.status, ready.json["status"]) == (200, "degraded")
    await start()
    await until(eventually, fresh, "/v1/news", 200)

    async def as_before() -> bool:
        return "Degraded" not in (await api.get("/v1/news")).headers

    assert await eventually(as_before)


@pytest.fixture
async def impatient(
    api_stage: Stage, session: aiohttp.ClientSession, account: Account
) -> AsyncIterator[Client]:
    """A client of a public_api that waits for auth as briefly as in production."""
    process = api_stage.another_api("impatient", AUTH_PATIENCE_SECONDS="1")
    process.start()
    try:
        await asyncio.to_thread(process.wait)
        yield Client(session, process.url, await account.token())
    finally:
        await asyncio.to_thread(process.stop)


async def test_a_hanging_auth_does_not_delay_verified_tokens(
    api_stage: Stage, impatient: Client, couch: Couch, eventually: Eventually
) -> None:
    api = impatient
    assert (await api.get("/v1/news")).status == 200
    assert api_stage.auth._process is not None
    api_stage.auth._process.send_signal(signal.SIGSTOP)
    try:

        async def degraded() -> bool:
            answer = await api.get("/v1/news")
            assert answer.status == 200
            return answer.headers.get("Degraded") == "auth"

        assert await eventually(degraded)
    finally:
        api_stage.auth._process.send_signal(signal.SIGCONT)

    async def as_before() -> bool:
        return "Degraded" not in (await api.get("/v1/news")).headers

    assert await eventually(as_before)


async def test_without_couchdb_only_the_news_is_unavailable(
    api: Client, couch: Couch, stores: Any, eventually: Eventually
) -> None:
    await until(eventually, api, "/v1/quotes/AAPL", 200)
    await stores.stop("couch")
    for path in ("/v1/news", PATHS["/v1/news/{id}"], "/v1/sentiment"):
        answer = await api.get(path)
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    for path in ("/v1/quotes/AAPL", "/v1/usage"):
        assert (await api.get(path)).status == 200
    await stores.start("couch")
    await until(eventually, api, "/v1/news", 200)


async def test_without_influxdb_calls_are_answered_and_counted_later(
    api: Client, couch: Couch, stores: Any, eventually: Eventually
) -> None:
    assert api.token is not None
    await stores.stop("influx")
    for _ in range(5):
        assert (await api.get("/v1/news")).status == 200
    assert_problem(await api.get("/v1/usage"), 503)
    await stores.start("influx")

    async def counted() -> bool:
        answer = await api.get(f"/v1/usage?token={api.token.id}")
        return answer.status == 200 and answer.json["calls"] >= 6

    assert await eventually(counted, within=90)
    metrics = (await api.get("/metrics")).body.decode()
    assert "usage_calls_dropped_total 0.0" in metrics


async def test_without_quotes_the_news_works(
    api_stage: Stage, api: Client, couch: Couch, restarted: Any
) -> None:
    await restarted(api_stage.quotes)
    assert_problem(await api.get("/v1/quotes/AAPL"), 503)
    assert (await api.get("/v1/news")).status == 200
