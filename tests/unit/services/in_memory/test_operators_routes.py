"""Health checks and metrics: for Docker, Prometheus and our services, not for the ingress."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from memory_connections import status_of

from runtime.web import health
from runtime.web.application import application
from runtime.web.settings import WebSettings


class Dependency:
    """A dependency that counts how often it is checked."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.count = 0
        self._is_broken = is_broken

    async def check(self) -> str | None:
        self.count += 1
        await asyncio.sleep(0)
        if self._is_broken:
            raise KeyError("a bug in the check")
        return None


async def ask(dependency: Dependency, path: str, *headers: str, times: int = 1) -> list[int]:
    app = application("example", settings=WebSettings(), checks={"it": dependency.check})
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    lines = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""])
    try:
        asked = (status_of(runner.server, lines.encode()) for _ in range(times))
        return list(await asyncio.gather(*asked))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("path", sorted(health.PATHS))
async def test_docker_and_prometheus_reach_the_routes(path: str):
    assert await ask(Dependency(), path) == [200]


@pytest.mark.parametrize("path", [*sorted(health.PATHS), "/%6detrics", "/health/%72eady"])
@pytest.mark.parametrize("mark", ["X-Forwarded-For: 203.0.113.9", "x-forwarded-host: site"])
async def test_a_request_that_came_through_the_ingress_does_not(path: str, mark: str):
    dependency = Dependency()

    assert await ask(dependency, path, mark) == [404]
    assert dependency.count == 0


async def test_many_callers_share_one_round_of_checks():
    dependency = Dependency()

    assert await ask(dependency, "/health/ready", times=50) == [200] * 50
    assert dependency.count == 1


async def test_a_bug_in_a_check_does_not_make_the_service_unready():
    assert await ask(Dependency(is_broken=True), "/health/ready") == [200]


async def test_the_result_of_the_checks_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch):
    dependency = Dependency()
    readiness = health.Readiness({"it": dependency.check})
    request = make_mocked_request("GET", "/health/ready")
    at = 100.0
    monkeypatch.setattr(health.clock, "monotonic", lambda: at)

    await readiness.get(request)
    at += health.KEPT_SECONDS - 0.01
    await readiness.get(request)
    assert dependency.count == 1
    at += 0.02
    await readiness.get(request)
    assert dependency.count == 2
