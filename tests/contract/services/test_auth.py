"""Accounts, logins and API tokens, also as attackers and thieves would use them."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from auth_stage import EMAIL, PASSWORD, Opened, raw, signed_up
from site_stack import Process

from runtime import clock
from runtime.errors import GoneError, RefusedError
from services.peers.auth import (
    SCOPES,
    Auth,
    InvalidError,
    Login,
    TakenError,
)


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

    await eventually(has_ended, within=30, patience=1)
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
    with pytest.raises(InvalidError, match="at most 2 tokens"):
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
