import asyncio
from dataclasses import dataclass

import pytest

from runtime.errors import RefusedError, UnavailableError
from services.webservice.visitor.renewals import Renewals


@dataclass
class Tokens:
    refresh: str


class Auth:
    """As the sign-in service: a refresh token is good once, and its second use ends the login."""

    def __init__(self) -> None:
        self.good = "r0"
        self.used: set[str] = set()
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_away = False

    async def refresh(self, token: str) -> Tokens:
        self.calls += 1
        await self.gate.wait()
        if self.is_away:
            raise UnavailableError("away")
        if token != self.good:
            self.good = ""
            raise RefusedError("used before: this login is ended")
        self.good = f"r{int(token[1:]) + 1}"
        return Tokens(self.good)


@pytest.fixture
def auth() -> Auth:
    return Auth()


async def test_tabs_that_come_at_once_share_one_renewal(auth: Auth):
    renew = Renewals(auth.refresh)
    auth.gate.clear()
    tabs = [asyncio.create_task(renew("r0")) for _ in range(20)]
    await asyncio.sleep(0)
    auth.gate.set()

    assert {tokens.refresh for tokens in await asyncio.gather(*tabs)} == {"r1"}
    assert auth.calls == 1


async def test_a_tab_that_had_sent_the_old_token_gets_the_same_answer(auth: Auth):
    renew = Renewals(auth.refresh)

    assert (await renew("r0")).refresh == "r1"
    assert (await renew("r0")).refresh == "r1"
    assert auth.calls == 1


async def test_a_tab_two_renewals_behind_gets_the_newest(auth: Auth):
    renew = Renewals(auth.refresh)
    await renew("r0")
    await renew("r1")

    assert (await renew("r0")).refresh == "r2"
    assert auth.good == "r2"


async def test_a_visitor_who_goes_away_does_not_stop_the_renewal(auth: Auth):
    renew = Renewals(auth.refresh)
    auth.gate.clear()
    tab = asyncio.create_task(renew("r0"))
    await asyncio.sleep(0)
    tab.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tab
    auth.gate.set()

    assert (await renew("r0")).refresh == "r1"
    assert auth.calls == 1


async def test_a_renewal_that_failed_is_tried_again(auth: Auth):
    renew = Renewals(auth.refresh)
    auth.is_away = True
    with pytest.raises(UnavailableError):
        await renew("r0")
    auth.is_away = False

    assert (await renew("r0")).refresh == "r1"


async def test_a_refusal_is_everybodys(auth: Auth):
    renew = Renewals(auth.refresh)
    answers = await asyncio.gather(renew("r7"), renew("r7"), return_exceptions=True)

    assert [type(one) for one in answers] == [RefusedError, RefusedError]
    assert auth.calls == 1


async def test_what_was_renewed_long_ago_is_forgotten(auth: Auth):
    renew = Renewals(auth.refresh, keep_seconds=0)
    await renew("r0")
    with pytest.raises(RefusedError):
        await renew("r0")
