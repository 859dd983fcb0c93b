"""cp_api_tickle against the simulator, its alarms to a listener that is really there."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from ports import free_port

sys.path.insert(0, str(Path(__file__).parent))

from cp_processes import Eventually, Running, Simulator, running

PATH = "/hooks/T0000-not-to-be-logged"


class Listener:
    """Takes alarms; the first `busy` ones are answered with 500."""

    def __init__(self) -> None:
        self.url = ""
        self.busy = 0
        self.taken: list[dict[str, Any]] = []
        self.refused = 0

    async def hear(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            self.refused += 1
            return web.Response(status=500)
        self.taken.append(await request.json())
        return web.Response(status=204)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found, port = Listener(), free_port()
    app = web.Application()
    app.router.add_post(PATH, found.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found.url = f"http://127.0.0.1:{port}{PATH}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def simulator(
    tmp_path: Path, eventually: Eventually, session: aiohttp.ClientSession
) -> AsyncIterator[Simulator]:
    async with running("cp_simulator", tmp_path, eventually, ADMIN="1") as service:
        yield Simulator(service, session)


@pytest.fixture
async def tickle(
    tmp_path: Path, eventually: Eventually, simulator: Simulator, listener: Listener
) -> AsyncIterator[Running]:
    settings = {
        "GATEWAY_URL": simulator.url,
        "EVERY_SECONDS": "1.5",
        "LOST_AFTER_SECONDS": "3",
        "ALARM_WEBHOOK_URL": listener.url,
    }
    async with running("cp_api_tickle", tmp_path, eventually, **settings) as service:
        yield service


async def ready(session: aiohttp.ClientSession, service: Running) -> dict[str, Any]:
    async with session.get(f"{service.url}/health/ready") as answer:
        assert answer.status == 200
        return await answer.json()  # type: ignore[no-any-return]


async def up(session: aiohttp.ClientSession, service: Running) -> float:
    async with session.get(f"{service.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return float(next(line for line in lines if line.startswith("cp_session_up ")).split()[1])


async def test_it_tickles_and_keeps_to_the_pacing(
    tickle: Running,
    simulator: Simulator,
    session: aiohttp.ClientSession,
    eventually: Eventually,
) -> None:
    async def thrice() -> bool:
        return await simulator.asked("/tickle") >= 3

    await eventually(thrice, 60)
    assert (await simulator.seen())["violations"] == 0
    assert (await ready(session, tickle))["status"] == "ok"
    assert await up(session, tickle) == 1


async def test_a_lapsed_session_is_had_again_without_an_alarm(
    tickle: Running, simulator: Simulator, listener: Listener, eventually: Eventually
) -> None:
    await simulator.make(session="lost")

    async def repaired() -> bool:
        return bool((await simulator.seen())["reauthentications"])

    await eventually(repaired, 60)
    before = await simulator.asked("/tickle")

    async def looked_again() -> bool:
        return await simulator.asked("/tickle") > before + 1

    await eventually(looked_again, 60)
    assert (await simulator.seen())["reauthentications"] == 1
    assert listener.taken == []


async def test_a_loss_is_told_once_and_so_is_its_end_even_by_a_listener_that_falters(
    tickle: Running,
    simulator: Simulator,
    listener: Listener,
    session: aiohttp.ClientSession,
    eventually: Eventually,
) -> None:
    listener.busy = 2
    await simulator.make(session="lost", refuses_again=True)

    async def told(number: int) -> bool:
        return len(listener.taken) >= number

    await eventually(lambda: told(1), 60)
    assert listener.refused == 2
    assert listener.taken[0]["event"] == "session_lost"
    assert "does not help" in listener.taken[0]["text"]
    assert (await ready(session, tickle))["checks"]["session"] == "the session is lapsed"
    assert await up(session, tickle) == 0
    await simulator.make(refuses_again=False, session="logged in")
    await eventually(lambda: told(2), 60)
    before = await simulator.asked("/tickle")

    async def later() -> bool:
        return await simulator.asked("/tickle") > before + 1

    await eventually(later, 60)
    assert [alarm["event"] for alarm in listener.taken] == ["session_lost", "session_returned"]
    assert await up(session, tickle) == 1
    assert PATH not in tickle.log


async def test_a_gateway_that_is_away_is_a_loss_too(
    tickle: Running, simulator: Simulator, listener: Listener, eventually: Eventually
) -> None:
    await simulator.service.stop()

    async def told() -> bool:
        return bool(listener.taken)

    await eventually(told, 60)
    assert listener.taken[0]["reason"] == "the gateway does not answer"


async def test_it_stops_when_told_though_a_listener_is_away(
    tickle: Running, simulator: Simulator, listener: Listener, eventually: Eventually
) -> None:
    listener.busy = 1000
    await simulator.make(session="logged out")

    async def refused() -> bool:
        return listener.refused > 0

    await eventually(refused, 60)
    assert await asyncio.wait_for(tickle.stop(), 60) == 0
