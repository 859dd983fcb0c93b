"""Our edges and the API versions of engines that cannot be had here: their `/version` is ours."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.edges.engine import Engine
from leader.edges.docker.swarm import Swarm
from runtime.errors import RefusedError, UnavailableError

INFO = {"Swarm": {"LocalNodeState": "inactive"}}


class OtherEngine:
    """An engine of some version, which like Docker answers no other version's paths."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.version = ""
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/version":
            return web.json_response({"ApiVersion": self.version})
        if request.path != f"/v{self.version}/info":
            return web.json_response({"message": "client version is too old"}, status=400)
        return web.json_response(INFO)

    @contextlib.asynccontextmanager
    async def running(self, version: str) -> AsyncIterator[None]:
        self.version = version
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(self.socket)).start()
            yield
        finally:
            await runner.cleanup()
            self.socket.unlink(missing_ok=True)


@pytest.fixture
def other(tmp_path: Path) -> OtherEngine:
    return OtherEngine(tmp_path / "docker.sock")


@pytest.fixture(params=["leader", "agent"])
async def ask(request: Any, other: OtherEngine) -> AsyncIterator[Any]:
    async with contextlib.AsyncExitStack() as stack:
        # aiohttp's connector wants the socket to be known when it is made, not to be there.
        url = f"unix://{other.socket}"
        if request.param == "leader":
            yield (await stack.enter_async_context(Swarm(url))).engine
        else:
            yield (await stack.enter_async_context(Engine(url))).membership


@pytest.mark.parametrize("version", ["1.41", "1.44", "1.51", "1.60"])
async def test_each_edge_speaks_the_newest_api_of_its_engine(
    ask: Any, other: OtherEngine, version: str
) -> None:
    async with other.running(version):
        assert (await ask()).state == "inactive"

    assert other.asked == ["/version", f"/v{version}/info"]


async def test_an_engine_that_is_too_old_is_refused_with_the_one_to_install(
    ask: Any, other: OtherEngine
) -> None:
    async with other.running("1.30"):
        with pytest.raises(
            RefusedError, match=r"API version is 1\.30, but 1\.\d+ is needed; install"
        ):
            await ask()


async def test_an_engine_that_was_replaced_by_another_version_is_asked_again(
    ask: Any, other: OtherEngine
) -> None:
    async with other.running("1.41"):
        await ask()
    with pytest.raises(UnavailableError):
        await ask()
    async with other.running("1.51"):
        await ask()

    assert other.asked[-2:] == ["/version", "/v1.51/info"]


async def test_an_engine_replaced_between_two_calls_is_asked_again_after_its_refusal(
    ask: Any, other: OtherEngine
) -> None:
    async with other.running("1.43"):
        await ask()
        other.version = "1.44"
        with pytest.raises(RefusedError, match="too old"):
            await ask()
        await ask()

    assert other.asked[-1] == "/v1.44/info"
