"""What every service has from the runtime, asked over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.web import self_test
from runtime.web.application import application
from runtime.web.outgoing import outgoing
from runtime.web.problems import Problem, body_of
from runtime.web.settings import WebSettings

SECRET = "hunter2-is-the-password"


class Asked(BaseModel):
    """A body."""

    number: int


def raising(error: Exception) -> Any:
    async def handler(_request: web.Request) -> web.Response:
        raise error

    return handler


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "the store is slow"


async def away() -> str | None:
    raise UnavailableError("the store does not respond")


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    app = application(
        "example", settings=WebSettings(), checks={"well": well, "ill": ill, "away": away}
    )

    async def echo(request: web.Request) -> web.Response:
        asked = await body_of(request, Asked)
        return web.json_response({"number": asked.number})

    async def calls(request: web.Request) -> web.Response:
        url = request.query["url"]
        async with outgoing(name="example") as session, session.get(url) as answer:
            return web.json_response(await answer.json())

    async def seen(request: web.Request) -> web.Response:
        return web.json_response({"id": request.headers.get("X-Request-Id")})

    app.router.add_post("/echo", echo)
    app.router.add_get("/calls", calls)
    app.router.add_get("/seen", seen)
    app.router.add_get("/problem", raising(Problem(status=418, title="Tea", extra={"pot": 1})))
    app.router.add_get("/away", raising(UnavailableError(SECRET)))
    app.router.add_get("/gone", raising(GoneError(SECRET)))
    app.router.add_get("/refused", raising(RefusedError(SECRET)))
    app.router.add_get("/bug", raising(RuntimeError(SECRET)))
    async with TestClient(TestServer(app)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/problem", 418),
        ("/away", 503),
        ("/gone", 404),
        ("/refused", 403),
        ("/bug", 500),
        ("/nowhere", 404),
    ],
)
async def test_an_error_is_a_problem_that_tells_nothing_of_what_broke(
    client: Any, path: str, status: int
) -> None:
    async with client.get(path) as answer:
        told = json.loads(await answer.read())
        assert answer.content_type == "application/problem+json"
    assert answer.status == told["status"] == status
    assert told["request_id"] == answer.headers["X-Request-Id"]
    assert SECRET not in str(told)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (f'{{"number": "{SECRET}"}}', 422, "number"),
        ("{}", 422, "number"),
        ("{", 400, ""),
        ("[" * 100_000, 400, ""),
        (b'{"number": "\xff"}', 400, ""),
        ('{"number": "\\ud800"}', 422, "number"),
    ],
)
async def test_a_wrong_body_is_named_and_not_repeated(
    client: Any, body: str | bytes, status: int, detail: str
) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post("/echo", data=body, headers=headers) as answer:
        told = json.loads(await answer.read())
    assert answer.status == status
    assert told.get("detail", "").startswith(detail)
    assert SECRET not in str(told)


async def test_json_is_read_whatever_its_header_says_of_its_letters(client: Any) -> None:
    headers = {"Content-Type": "application/json; charset=no-such-letters"}
    async with client.post("/echo", data='{"number": 1}', headers=headers) as answer:
        assert await answer.json() == {"number": 1}


async def test_a_dependency_that_is_away_makes_it_degraded_and_not_unready(client: Any) -> None:
    async with client.get("/health/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "status": "degraded",
            "checks": {
                "well": "ok",
                "ill": "the store is slow",
                "away": "the store does not respond",
            },
        }


async def test_a_request_keeps_its_id_on_the_way_to_others(client: Any) -> None:
    url = str(client.make_url("/seen"))
    headers = {"X-Request-Id": "one-request"}
    async with client.get("/calls", params={"url": url}, headers=headers) as answer:
        assert await answer.json() == {"id": "one-request"}
        assert answer.headers["X-Request-Id"] == "one-request"


async def test_requests_are_logged_by_route_and_without_their_query(client: Any) -> None:
    with structlog.testing.capture_logs() as told:
        async with client.get("/seen", params={"token": SECRET}):
            pass
        async with client.get("/health/live"):
            pass
    (line,) = [one for one in told if one["event"] == "handled a request"]
    assert (line["route"], line["status"], line["method"]) == ("/seen", 200, "GET")
    assert SECRET not in str(told)


async def test_metrics_count_by_route(client: Any) -> None:
    for _ in range(2):
        async with client.get("/seen"):
            pass
    async with client.get("/metrics") as answer:
        told = await answer.text()
    counted = 'http_requests_total{method="GET",route="/seen",service="example",status="200"}'
    assert float(told.partition(counted)[2].split()[0]) >= 2


async def test_no_answer_says_what_runs_here(client: Any) -> None:
    async with client.get("/seen") as answer:
        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with client.get("/test") as answer:
        assert answer.status == 404


async def test_a_peer_that_hangs_costs_the_time_out_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with outgoing(name="example", timeout_seconds=0.3) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"http://127.0.0.1:{port}/")


TESTS = """
import os
from services.shop import price

def test_good(): assert price(1) == 2 and "SHOP_FEEDS" not in os.environ
def test_bad(): assert price(1) == 3
"""


async def test_a_test_build_runs_its_own_tests_and_says_what_they_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A setting of the deployment.
    monkeypatch.setenv("SHOP_FEEDS", "2")
    (tmp_path / "services").mkdir()
    code = "def price(n):\n    if n < 0:\n        return 0\n    return n + 1\n"
    (tmp_path / "services/__init__.py").write_text("")
    (tmp_path / "services/shop.py").write_text(code)
    (tmp_path / "tests/unit/services/shop").mkdir(parents=True)
    (tmp_path / "tests/unit/services/shop/test_price.py").write_text(TESTS)
    app = web.Application()
    self_test.add_route(app, "shop", root=tmp_path)
    async with TestClient(TestServer(app)) as client:
        timeout = aiohttp.ClientTimeout(total=120)
        async with client.get("/test", timeout=timeout) as answer:
            told = await answer.json()
    assert (told["passed"], told["failed"], told["errors"]) == (1, 1, 0)
    assert told["failures"][0]["test"].endswith("test_bad")
    assert "assert 2 == 3" in told["failures"][0]["message"]
    assert told["coverage"]["files"]["services/shop.py"]["missing"] == [3]
    assert 50 < told["coverage"]["percent"] < 100


async def test_a_test_build_without_tests_does_not_say_that_all_is_well(tmp_path: Path) -> None:
    app = application("empty", settings=WebSettings())
    self_test.add_route(app, "empty", root=tmp_path)
    timeout = aiohttp.ClientTimeout(total=120)
    async with (
        TestClient(TestServer(app)) as client,
        client.get("/test", timeout=timeout) as answer,
    ):
        assert answer.status == 500
        assert (await answer.json())["title"] == "The tests cannot be run"


async def test_a_test_build_runs_its_tests_once_at_a_time(tmp_path: Path) -> None:
    tests = tmp_path / "tests/unit/services/slow"
    tests.mkdir(parents=True)
    (tests / "test_slow.py").write_text("def test_good(): pass")
    app = application("slow", settings=WebSettings())
    self_test.add_route(app, "slow", root=tmp_path)

    async with TestClient(TestServer(app)) as client:

        async def ask() -> int:
            async with client.get("/test", timeout=aiohttp.ClientTimeout(total=120)) as answer:
                return answer.status

        assert sorted(await asyncio.gather(ask(), ask())) == [200, 409]
