"""The site under attack by other sites, stolen cookies, guesses and hostile news."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, expect
from ports import free_port
from site_browser import PASSWORD, Visitor, visitor
from site_stack import Process, Stack
from site_stage import IN_THE_BROWSERS_LOOP, Eventually, written

from services.stores.news import Article

pytestmark = IN_THE_BROWSERS_LOOP


@pytest_asyncio.fixture(loop_scope="session")
async def evil(stack: Stack) -> AsyncIterator[Callable[[str], str]]:
    """Another site whose pages send forms to ours; yields its address for a host name."""

    async def attack(request: web.Request) -> web.Response:
        fields = "".join(
            f'<input name="{name}" value="{value}">'
            for name, value in (("name", "evil"), ("scopes", "news:read"), ("expires", ""))
        )
        return web.Response(
            text=f'<!doctype html><title>evil</title><form method="post"'
            f' action="{stack.site.url}{request.query["to"]}">{fields}</form>'
            "<script>document.forms[0].submit()</script>",
            content_type="text/html",
        )

    app = web.Application()
    app.router.add_get("/", attack)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "localhost", port).start()
    yield lambda host: f"http://{host}:{port}/"
    await runner.cleanup()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("path", ["/tokens", "/logout", "/account/logout-all", "/dashboard/watch"])
async def test_a_form_on_another_site_does_nothing(
    browser: Browser, stack: Stack, email: str, evil: Callable[[str], str], host: str, path: str
):
    """From localhost, cookies count it as the same site, and the browser sends them."""
    async with visitor(browser, stack.site.url, email) as reader:
        await reader.sign_up()
        async with reader.page.expect_response(lambda one: one.request.method == "POST") as sent:
            await reader.page.goto(f"{evil(host)}?to={path}", wait_until="commit")

        assert (await sent.value).status in {303, 403}
        await reader.page.wait_for_load_state("load")
        await reader.go("/tokens")
        assert urlsplit(reader.page.url).path == "/tokens"
        await expect(reader.page.get_by_text("You have no tokens yet")).to_be_visible()


async def test_a_form_without_a_valid_token_does_nothing(
    reader: Visitor, client: aiohttp.ClientSession, stack: Stack
):
    await reader.sign_up()
    cookies = "; ".join(f"{k}={v['value']}" for k, v in (await reader.cookies()).items())
    form = {"name": "x", "scopes": "news:read", "expires": ""}
    for extra in ({}, {"csrf": "AAAA"}, {"csrf": "A" * 56}):
        answer = await client.post(
            f"{stack.site.url}/tokens", data=form | extra, headers={"Cookie": cookies}
        )
        assert answer.status == 403
        assert "out of date" in await answer.text()


async def test_a_cookie_planted_before_signing_in_is_worthless_afterwards(
    reader: Visitor, client: aiohttp.ClientSession, stack: Stack
):
    await reader.go("/login")
    planted = await reader.cookies()
    stale = await reader.page.locator("input[name=csrf]").first.input_value()
    await reader.sign_up()
    after = await reader.cookies()

    assert after["site-nonce"]["value"] != planted["site-nonce"]["value"]
    cookies = {name: one["value"] for name, one in after.items()}
    cookies["site-nonce"] = planted["site-nonce"]["value"]
    answer = await client.post(
        f"{stack.site.url}/logout",
        data={"csrf": stale},
        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())},
    )
    assert answer.status == 403


async def test_no_script_can_read_a_cookie_and_no_other_sites_form_sends_one(reader: Visitor):
    await reader.sign_up()
    cookies = await reader.cookies()

    assert {"site-access", "site-refresh", "site-nonce"} <= cookies.keys()
    assert all(one["httpOnly"] and one["sameSite"] == "Lax" for one in cookies.values())
    assert await reader.page.evaluate("document.cookie") == ""


async def test_cookies_are_worthless_after_signing_out(
    reader: Visitor, client: aiohttp.ClientSession, stack: Stack, eventually: Eventually
):
    await reader.sign_up()
    stolen = "; ".join(f"{k}={v['value']}" for k, v in (await reader.cookies()).items())
    await reader.sign_out()

    async def is_refused() -> bool:
        answer = await client.get(
            f"{stack.site.url}/tokens", headers={"Cookie": stolen}, allow_redirects=False
        )
        return answer.status == 303

    await eventually(is_refused, within=30, patience=1)


async def test_an_api_token_opens_no_page(
    reader: Visitor, client: aiohttp.ClientSession, stack: Stack
):
    await reader.sign_up()
    token = await reader.make_token("Program")
    answer = await client.get(
        f"{stack.site.url}/account",
        headers={"Cookie": f"site-access={token}"},
        allow_redirects=False,
    )

    assert answer.status == 303
    assert answer.headers["Location"] == "/login?next=/account"


async def test_guessing_passwords_is_answered_with_a_pause(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    for _ in range(20):
        await reader.sign_in(password="guessed wrong again")
        said = await reader.page.get_by_role("alert").inner_text()
        if "Too many attempts" in said:
            break

    assert "Wait" in said
    await reader.sign_in()
    await expect(reader.page.get_by_role("alert")).to_contain_text("Too many attempts")
    reader.complaints.clear()


async def test_quotes_reload_without_disturbing_what_is_being_typed(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await page.get_by_text("Change your watch list").click()
    await page.get_by_label("Symbols, up to").fill("half a wo")
    async with page.expect_response("**/dashboard/quotes") as came:
        await page.evaluate(
            "htmx.ajax('GET', '/dashboard/quotes', {target: '#quotes', swap: 'outerHTML'})"
        )
    assert (await came.value).status == 200

    await expect(page.locator(".tile b").first).to_be_visible()
    await expect(page.get_by_label("Symbols, up to")).to_have_value("half a wo")


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/usage?span=week", "/usage"),
        ("//evil.example/", "/dashboard"),
        ("https://evil.example/", "/dashboard"),
        ("/%5Cevil.example", "/dashboard"),
        ("/%09/evil.example", "/dashboard"),
    ],
)
async def test_signing_in_leads_only_to_a_page_of_the_site(
    reader: Visitor, wanted: str, reached: str
):
    await reader.sign_up()
    await reader.sign_out()
    await reader.sign_in(path=f"/login?next={wanted}")

    assert urlsplit(reader.page.url)[1:3] == (urlsplit(reader.url).netloc, reached)


async def test_signing_in_leads_to_the_page_that_required_it(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    await reader.sign_in(path="/dashboard?symbol=AAPL&label=positive&days=30")

    assert urlsplit(reader.page.url)[2:4] == ("/dashboard", "symbol=AAPL&label=positive&days=30")
    await expect(reader.page.locator("#news .story")).to_have_count(1)


async def test_hostile_news_runs_no_script_in_a_readers_browser(
    reader: Visitor, site_stores: dict[str, Any], articles: list[Article]
):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    async with written(site_stores["couch"].url) as news:
        one = articles[-1]
        hostile = one.model_copy(
            update={
                "id": "news-" + "e" * 32,
                "rev": None,
                "title": evil,
                "summary": evil,
                "text": evil,
                "url": "javascript:alert(3)",
            }
        )
        saved = await news.save(hostile)
        try:
            await reader.sign_up()
            await reader.go(f"/news/{saved.id}")
            await expect(reader.page.get_by_role("heading", level=1)).to_have_text(evil)
            await expect(reader.page.get_by_role("link", name="Read on")).to_have_count(0)
        finally:
            await news._couch.put("news", {"_id": saved.id, "_rev": saved.rev, "_deleted": True})


async def test_eight_tabs_with_one_refresh_token_all_stay_signed_in(
    reader: Visitor, client: aiohttp.ClientSession, stack: Stack
):
    await reader.sign_up()
    refresh = (await reader.cookies())["site-refresh"]["value"]

    async def tab() -> tuple[int, str]:
        answer = await client.get(
            f"{stack.site.url}/account",
            headers={"Cookie": f"site-refresh={refresh}"},
            allow_redirects=False,
        )
        return answer.status, answer.cookies["site-refresh"].value

    answers = await asyncio.gather(*(tab() for _ in range(8)))
    late = await tab()

    assert {status for status, _ in (*answers, late)} == {200}
    (new,) = {value for _, value in (*answers, late)}
    assert new != refresh
    answer = await client.get(
        f"{stack.site.url}/account", headers={"Cookie": f"site-refresh={new}"}
    )
    assert answer.status == 200
    assert reader.email in await answer.text()


async def test_over_https_cookies_are_secure_and_bound_to_the_host(
    site_ground: Path, stack: Stack, client: aiohttp.ClientSession
):
    over = Process("webservice", site_ground / "https", {**stack.site.environment, "HTTPS": "true"})
    over.start()
    try:
        over.wait()
        answer = await client.get(f"{over.url}/login")
        cookie = answer.cookies["__Host-nonce"]

        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert "max-age" in answer.headers["Strict-Transport-Security"]
    finally:
        over.stop()


@pytest.mark.parametrize("path", ["/", "/login", "/static/site.css", "/nowhere", "/health/live"])
async def test_every_answer_forbids_browsers_to_load_from_other_hosts(
    client: aiohttp.ClientSession, stack: Stack, path: str
):
    answer = await client.get(stack.site.url + path)

    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


async def test_no_log_contains_an_address_a_password_or_a_token(reader: Visitor, stack: Stack):
    await reader.sign_up()
    token = await reader.make_token("Logged")
    await reader.sign_out()
    await reader.sign_in(password="not the password")
    reader.complaints.clear()
    log = stack.site.log

    assert log
    for secret in (reader.email, reader.email.split("@")[0], PASSWORD, token, "not the password"):
        assert secret not in log
