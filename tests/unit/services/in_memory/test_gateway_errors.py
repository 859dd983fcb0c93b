"""Errors of Interactive Brokers' gateway that its documentation does not know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from memory_connections import Connector

from services.cp_api.paced_gateway import AwayError, PacedGateway
from services.cp_api.pacing import Pace, Pacer
from services.cp_api.session_state import SENTENCES, SessionState
from services.cp_api_tickle.daemon import Tickler
from services.cp_api_tickle.decide import Memory, Policy, RaiseAlarm, decide
from services.peers.gateway import (
    BASE,
    AddressError,
    Answer,
    Gateway,
    LoginError,
    UninitialisedError,
)

INIT = "/iserver/auth/ssodh/init"
STATUS = "/iserver/auth/status"
SNAPSHOT = "/iserver/marketdata/snapshot"
WELL = {"authenticated": True, "connected": True, "competing": False}


class FakeGateway:
    """A gateway that refuses quotes with `Init session first` until it was asked to init."""

    def __init__(self, *, is_competing: bool = False, denies: bool = False) -> None:
        self.paths: list[str] = []
        self.is_open = False
        self._status = WELL | {"competing": is_competing}
        self._denies = denies

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        path = request.path.removeprefix(BASE)
        self.paths.append(path)
        if self._denies:
            return web.Response(status=403, text="Access Denied")
        if path == INIT:
            self.is_open = True
        if path == SNAPSHOT and not self.is_open:
            refusal = {"error": "Init session first", "statusCode": 400}
            return web.json_response(refusal, status=400)
        return web.json_response([{"conid": 1}] if path == SNAPSHOT else self._status)


@asynccontextmanager
async def gateway_of(fake: FakeGateway) -> AsyncIterator[Gateway]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with aiohttp.ClientSession(connector=Connector({"gateway": runner.server})) as session:
        yield Gateway(session, "http://gateway:5000")
    await runner.cleanup()


def paced(gateway: Gateway) -> PacedGateway:
    pacer = Pacer({"*": Pace(1000.0, burst=100)})
    return PacedGateway(gateway, pacer, queue_seconds=5, penalty_seconds=900, status_seconds=10)


async def snapshot(gateway: PacedGateway) -> Answer:
    async def call(one: Gateway) -> Any:
        return await one.snapshot([1], ["31"])

    return await gateway.ask("marketdata/snapshot", call, in_session=True)


async def test_a_session_that_must_be_opened_is_opened_once_and_the_request_repeated() -> None:
    """The status says that all is well, as it does on the real gateway."""
    fake = FakeGateway()
    async with gateway_of(fake) as gateway:
        with pytest.raises(UninitialisedError):
            await gateway.snapshot([1], ["31"])
        fake.paths.clear()
        answer = await snapshot(paced(gateway))

    assert answer.body == [{"conid": 1}]
    assert fake.paths.count(INIT) == 1
    assert fake.paths.count(SNAPSHOT) == 2


async def test_a_competing_session_is_not_opened_over() -> None:
    fake = FakeGateway(is_competing=True)
    async with gateway_of(fake) as gateway:
        with pytest.raises(AwayError, match="competing"):
            await snapshot(paced(gateway))
    assert INIT not in fake.paths


async def test_an_address_that_is_not_allowed_is_not_called_a_missing_login() -> None:
    async with gateway_of(FakeGateway(denies=True)) as gateway:
        with pytest.raises(AddressError, match="the gateway does not allow this address"):
            await gateway.tickle()
        with pytest.raises(AwayError, match="does not allow this address") as raised:
            await snapshot(paced(gateway))
        assert "log in" not in str(raised.value)
        status = await paced(gateway)._check_session()
    assert (status.reachable, status.detail) == (True, SENTENCES[SessionState.NOT_ALLOWED])


async def test_the_alarm_does_not_ask_for_a_login() -> None:
    async with gateway_of(FakeGateway(denies=True)) as gateway:
        policy = Policy(lost_after_seconds=0)
        tickler = Tickler(gateway, None, policy=policy, every_seconds=60)  # type: ignore[arg-type]
        seen = await tickler._tickle()
    later = type(seen)(seen.at + timedelta(seconds=1), seen.state, seen.detail)
    memory, first = decide(Memory(), seen, policy)
    _, second = decide(memory, later, policy)
    alarms = [action for action in (*first, *second) if isinstance(action, RaiseAlarm)]
    assert seen.state == "not allowed"
    assert len(alarms) == 1
    assert all("does not allow this address" in alarm.reason for alarm in alarms)
    assert all("log in" not in alarm.reason for alarm in alarms)


async def test_other_refusals_still_mean_that_nobody_is_logged_in() -> None:
    class LoggedOut(FakeGateway):
        async def answer(self, _request: web.Request) -> web.Response:
            return web.json_response({"error": "Access Denied"}, status=401)

    async with gateway_of(LoggedOut()) as gateway:
        with pytest.raises(LoginError):
            await gateway.tickle()
