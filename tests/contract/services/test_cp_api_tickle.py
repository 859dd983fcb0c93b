"""cp_api_tickle against the simulator, with a real receiver for its alarms."""

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


class Receiver:
    """Accepts alarms; answers the first `busy` ones with 500."""

    def __init__(self) -> None:
        self.url = ""
        self.busy = 0
        self.accepted: list[dict[str, Any]] = []
        self.refused = 0

    async def receive(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            self.refused += 1
            return web.Response(status=500)
        self.accepted.append(await request.json())
        return web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    alarms, port = Receiver(), free_port()
    app = web.Application()
    app.router.add_post(PATH, alarms.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    alarms.url = f"http://127.0.0.1:{port}{PATH}"
    yield alarms
    await runner.cleanup()


@pytest.fixture
async def simulator(
    tmp_path: Path, eventually: Eventually, session: aiohttp.ClientSession
) -> AsyncIterator[Simulator]:
    async with running("cp_simulator", tmp_path, eventually, ADMIN="1") as service:
        yield Simulator(service, session)


@pytest.fixture
async def tickle(
    tmp_path: Path, eventually: Eventually, simulator: Simulator, receiver: Receiver
) -> AsyncIterator[Running]:
    settings = {
        "GATEWAY_URL": simulator.url,
        "EVERY_SECONDS": "1.5",
        "LOST_AFTER_SECONDS": "3",
        "ALARM_WEBHOOK_URL": receiver.url,
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


async def test_it_tickles_within_the_pacing(
    tickle: Running,
    simulator: Simulator,
    session: aiohttp.ClientSession,
    eventually: Eventually,
) -> None:
    async def thrice() -> bool:
        return await simulator.requests("/tickle") >= 3

    await eventually(thrice, 60)
    assert (await simulator.counts())["violations"] == 0
    assert (await ready(session, tickle))["status"] == "ok"
    assert await up(session, tickle) == 1


async def test_a_lapsed_session_is_repaired_without_an_alarm(
    tickle: Running, simulator: Simulator, receiver: Receiver, eventually: Eventually
) -> None:
    await simulator.trouble(session="lost")

    async def repaired() -> bool:
        return bool((await simulator.counts())["reauthentications"])

    await eventually(repaired, 60)
    before = await simulator.requests("/tickle")

    async def checked_again() -> bool:
        return await simulator.requests("/tickle") > before + 1

    await eventually(checked_again, 60)
    assert (await simulator.counts())["reauthentications"] == 1
    assert receiver.accepted == []


async def test_a_loss_and_its_end_are_each_reported_once_to_a_failing_receiver(
    tickle: Running,
    simulator: Simulator,
    receiver: Receiver,
    session: aiohttp.ClientSession,
    eventually: Eventually,
) -> None:
    receiver.busy = 2
    await simulator.trouble(session="lost", refuses_again=True)

    async def has_alarms(number: int) -> bool:
        return len(receiver.accepted) >= number

    await eventually(lambda: has_alarms(1), 60)
    assert receiver.refused == 2
    assert receiver.accepted[0]["event"] == "session_lost"
    assert "did not help" in receiver.accepted[0]["text"]
    assert (await ready(session, tickle))["checks"]["session"] == "the session is lapsed"
    assert await up(session, tickle) == 0
    await simulator.trouble(refuses_again=False, session="logged in")
    await eventually(lambda: has_alarms(2), 60)
    before = await simulator.requests("/tickle")

    async def later() -> bool:
        return await simulator.requests("/tickle") > before + 1

    await eventually(later, 60)
    assert [alarm["event"] for alarm in receiver.accepted] == ["session_lost", "session_returned"]
    assert await up(session, tickle) == 1
    assert PATH not in tickle.log


async def test_an_unavailable_gateway_is_a_loss_too(
    tickle: Running, simulator: Simulator, receiver: Receiver, eventually: Eventually
) -> None:
    await simulator.service.stop()

    async def has_alarm() -> bool:
        return bool(receiver.accepted)

    await eventually(has_alarm, 60)
    assert receiver.accepted[0]["reason"] == "the gateway does not respond"


async def test_it_stops_on_sigterm_while_the_receiver_fails(
    tickle: Running, simulator: Simulator, receiver: Receiver, eventually: Eventually
) -> None:
    receiver.busy = 1000
    await simulator.trouble(session="logged out")

    async def refused() -> bool:
        return receiver.refused > 0

    await eventually(refused, 60)
    assert await asyncio.wait_for(tickle.stop(), 60) == 0
