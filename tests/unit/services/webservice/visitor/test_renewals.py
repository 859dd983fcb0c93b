import asyncio
from dataclasses import dataclass

import pytest

from runtime.errors import RefusedError, UnavailableError
from services.webservice.visitor.renewals import Renewals


@dataclass
class Tokens:
    refresh: str


class Auth:
    """Like the sign-in service: a refresh token is valid once; its reuse ends the login."""

    def __init__(self) -> None:
        self.valid = "r0"
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
        if token != self.valid:
            self.valid = ""
            raise RefusedError("used before: this login has ended")
        self.valid = f"r{int(token[1:]) + 1}"
        return Tokens(self.valid)


@pytest.fixture
def auth() -> Auth:
    return Auth()


async def test_simultaneous_tabs_share_one_renewal(auth: Auth):
    renew = Renewals(auth.refresh)
    auth.gate.clear()
    tabs = [asyncio.create_task(renew("r0")) for _ in range(20)]
    await asyncio.sleep(0)
    auth.gate.set()

    assert {tokens.refresh for tokens in await asyncio.gather(*tabs)} == {"r1"}
    assert auth.calls == 1


async def test_a_tab_with_the_old_token_gets_the_same_answer(auth: Auth):
    renew = Renewals(auth.refresh)

    assert (await renew("r0")).refresh == "r1"
    assert (await renew("r0")).refresh == "r1"
    assert auth.calls == 1


async def test_a_tab_two_renewals_behind_gets_the_newest_token(auth: Auth):
    renew = Renewals(auth.refresh)
    await renew("r0")
    await renew("r1")

    assert (await renew("r0")).refresh == "r2"
    assert auth.valid == "r2"


async def test_a_caller_that_gives_up_does_not_stop_the_renewal(auth: Auth):
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


async def test_a_failed_renewal_is_tried_again(auth: Auth):
    renew = Renewals(auth.refresh)
    auth.is_away = True
    with pytest.raises(UnavailableError):
        await renew("r0")
    auth.is_away = False

    assert (await renew("r0")).refresh == "r1"


async def test_every_caller_gets_the_refusal(auth: Auth):
    renew = Renewals(auth.refresh)
    answers = await asyncio.gather(renew("r7"), renew("r7"), return_exceptions=True)

    assert [type(answer) for answer in answers] == [RefusedError, RefusedError]
    assert auth.calls == 1


async def test_old_renewals_are_forgotten(auth: Auth):
    renew = Renewals(auth.refresh, keep_seconds=0)
    await renew("r0")
    with pytest.raises(RefusedError):
        await renew("r0")
