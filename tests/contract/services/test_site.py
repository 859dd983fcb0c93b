"""The site as people meet it: real processes, real stores, real Chromium."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, expect
from ports import free_port

sys.path.insert(0, str(Path(__file__).parent))

from site_articles import STORIES, publish
from site_browser import PASSWORD, PHONE, Visitor, chromium, visitor
from site_stack import Process, Stack

from lab.host import LabError
from lab.site import host_stores
from runtime import clock
from services.stores.couch import Couch
from services.stores.news import Article, News

Eventually = Callable[..., Awaitable[Any]]
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def own_stores(ground: Path) -> Iterator[dict[str, Any]]:
    """Stores of this file's own: its tests share them, stop them and start them."""
    stores: dict[str, Any] = {
        "redis": host_stores.Redis(ground / "redis", free_port()),
        "couch": host_stores.Couch(ground / "couch", free_port()),
        "influx": host_stores.Influx(ground / "influx", free_port(), inner_port=free_port()),
    }
    try:
        for store in stores.values():
            store.start()
        yield stores
    except LabError as exc:
        pytest.fail(str(exc))
    finally:
        for store in stores.values():
            store.stop()


@asynccontextmanager
async def written(url: str) -> AsyncIterator[News]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield News(Couch(session, url))


@pytest.fixture(scope="module")
def articles(own_stores: dict[str, Any]) -> list[Article]:
    async def write() -> list[Article]:
        async with written(own_stores["couch"].url) as news:
            await news.prepare()
            return await publish(news, now=clock.now())

    return asyncio.run(write())


@pytest.fixture(scope="module")
def stack(ground: Path, own_stores: dict[str, Any], articles: list[Article]) -> Iterator[Stack]:
    stack = Stack(ground, **own_stores)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
def email() -> str:
    return f"reader{next(_NUMBERS)}@site-tests.org"


@pytest.fixture
async def reader(browser: Browser, stack: Stack, email: str) -> AsyncIterator[Visitor]:
    """Somebody new; at the end no page may have complained or asked another host."""
    async with visitor(browser, stack.site.url, email) as one:
        yield one
        assert one.complaints == []
        assert one.hosts == {urlsplit(stack.site.url).netloc}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A program: no cookies but those it is given."""
    limit = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as one:
        yield one


async def call(client: aiohttp.ClientSession, stack: Stack, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with client.get(f"{stack.api.url}/v1/news?limit=3", headers=headers) as answer:
        await answer.read()
        return answer.status


# What people come for.


async def test_a_reader_signs_up_reads_makes_a_token_uses_it_and_revokes_it(
    reader: Visitor, stack: Stack, client: aiohttp.ClientSession, eventually: Eventually
):
    page = reader.page
    await reader.go("/")
    await expect(page.get_by_role("heading", name="Latest headlines")).to_be_visible()
    await page.get_by_role("link", name="Create a free account").click()
    await reader.sign_up()

    await expect(page.get_by_text("Your account is ready")).to_be_visible()
    await expect(page.get_by_text("Simulated prices")).to_be_visible()
    first = page.locator("#news .story").filter(has_text=STORIES[0].title)
    await expect(first.get_by_text("Positive")).to_be_visible()
    await expect(page.locator("svg[aria-labelledby^=mood]")).to_be_visible()

    await page.get_by_role("combobox", name="Sentiment").select_option("negative")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("#news .badge.positive")).to_have_count(0)
    await expect(page.locator("#news .badge.negative").first).to_be_visible()
    await page.get_by_label("Symbol", exact=True).fill("tsla")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("#news .story")).to_have_count(1)

    await page.get_by_role("link", name="Regulators open an investigation").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Tesla")
    await expect(page.get_by_text("The company declined to comment.")).to_be_visible()
    await expect(page.get_by_role("link", name="Read it at")).to_have_attribute(
        "href", "https://quaystreetjournal.example/" + _words(STORIES[4].title)
    )

    token = await reader.make_token("Morning report", scopes=["usage:read"])
    assert token.startswith("ssw_")
    assert await call(client, stack, token) == 200
    assert await call(client, stack, token) == 200

    async def counted() -> bool:
        await reader.go("/usage")
        return await page.locator("dd").first.inner_text() == "2"

    await eventually(counted, within=60)
    await expect(page.locator("svg[aria-labelledby^=calls] .bar").first).to_be_attached()
    await expect(page.get_by_role("row").filter(has_text="2")).not_to_have_count(0)

    await reader.go("/tokens")
    await expect(page.get_by_label("Your new token")).to_have_count(0)
    assert token not in await page.content()
    await reader.revoke_token("Morning report")

    async def is_refused() -> bool:
        return await call(client, stack, token) == 401

    await eventually(is_refused, within=20)

    await reader.sign_out()
    await expect(page.get_by_text("You are signed out")).to_be_visible()
    await reader.go("/dashboard")
    assert urlsplit(page.url).path == "/login"


async def test_more_news_are_added_to_the_list_without_leaving_the_page(reader: Visitor):
    await reader.sign_up()
    stories = reader.page.locator("#news .story")
    before = await stories.count()
    assert before < len(STORIES)
    await reader.page.get_by_role("link", name="More news").click()

    await expect(stories).to_have_count(len(STORIES))
    assert urlsplit(reader.page.url).query == ""
    titles = await stories.locator("h3").all_inner_texts()
    assert len(set(titles)) == len(STORIES)


async def test_somebody_chooses_what_is_quoted(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await page.get_by_text("Change the watch list").click()
    await page.get_by_label("Symbols, up to").fill("msft, aapl <b>")
    await page.get_by_role("button", name="Save").click()

    await expect(page.locator(".tile b")).to_have_text(["MSFT", "AAPL"])


async def test_all_of_it_works_without_javascript(browser: Browser, stack: Stack, email: str):
    async with visitor(browser, stack.site.url, email, java_script_enabled=False) as reader:
        page = reader.page
        await reader.sign_up()
        await page.get_by_role("link", name="More news").click()
        await expect(page.locator("#news .story")).to_have_count(len(STORIES) - 12)
        await page.get_by_label("Symbol", exact=True).fill("AAPL")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("#news .story")).to_have_count(2)
        assert (await reader.make_token("Plain")).startswith("ssw_")
        await reader.revoke_token("Plain")
        await reader.sign_out()
        assert urlsplit(page.url).path == "/"


async def test_somebody_signs_in_by_keyboard_alone(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    page = reader.page
    await page.get_by_role("link", name="Sign in").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/login")
    await expect(page.get_by_label("E-mail")).to_be_focused()
    await page.keyboard.type(reader.email)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/dashboard")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_on_a_phone_no_page_is_wider_than_the_screen(
    browser: Browser, stack: Stack, email: str, articles: list[Article]
):
    async with visitor(browser, stack.site.url, email, size=PHONE, has_touch=True) as reader:
        await reader.sign_up()
        await reader.make_token("Phone")
        for path in (*PAGES, f"/news/{articles[0].id}"):
            await reader.go(path)
            wide = await reader.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE[0], path
            for name in ("Dashboard", "Sign out"):
                box = await reader.page.get_by_text(name, exact=True).first.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= PHONE[0], (path, name)


PAGES = ("/", "/dashboard", "/tokens", "/usage", "/account")


async def test_every_page_has_a_name_its_landmarks_and_labels(
    reader: Visitor, articles: list[Article]
):
    looks = """() => ({
        lang: document.documentElement.lang,
        title: document.title,
        h1: document.querySelectorAll('h1').length,
        landmarks: ['header', 'nav', 'main', 'footer'].filter(n => !document.querySelector(n)),
        unnamed: [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
          .filter(e => !(e.labels && e.labels.length) && !e.ariaLabel && !e.textContent.trim()
            && !e.querySelector('img[alt]')).map(e => e.outerHTML),
        images: [...document.images].filter(i => !i.hasAttribute('alt')).length,
        ids: [...document.querySelectorAll('[id]')].map(e => e.id),
        refs: [...document.querySelectorAll('[aria-labelledby]')]
          .flatMap(e => e.getAttribute('aria-labelledby').split(' '))
          .filter(id => !document.getElementById(id)),
    })"""
    for path in ("/login", "/sign-up"):
        await reader.go(path)
        _look_over(await reader.page.evaluate(looks), path)
    await reader.sign_up()
    for path in (*PAGES, f"/news/{articles[0].id}"):
        await reader.go(path)
        _look_over(await reader.page.evaluate(looks), path)


def _look_over(seen: dict[str, Any], path: str) -> None:
    assert seen["lang"] == "en", path
    assert seen["title"].endswith("· Spotswarm News"), path
    assert seen["h1"] == 1, path
    assert seen["landmarks"] == [], path
    assert seen["unnamed"] == [], path
    assert seen["images"] == 0, path
    assert seen["refs"] == [], path
    assert len(seen["ids"]) == len(set(seen["ids"])), path


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    told = []
    for known in (True, False):
        name = reader.email
        reader.email = name if known else "nobody-at-all@site-tests.org"
        await reader.sign_in(password="not the password")
        told.append(await reader.page.get_by_role("alert").inner_text())
        assert "@" not in reader.page.url
        assert "%40" not in reader.page.url
        reader.email = name
    assert told[0] == told[1]
    # Chromium itself notes each answer of 401.
    reader.complaints.clear()


async def test_a_password_is_changed_and_this_browser_stays_signed_in(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await reader.go("/account")
    await expect(page.get_by_text(reader.email)).to_be_visible()
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_label("New password").fill("another long password")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Your password is changed")).to_be_visible()
    await reader.sign_out()
    await reader.sign_in(password="another long password")

    assert urlsplit(page.url).path == "/dashboard"


async def test_signing_out_everywhere_signs_out_the_other_browser(
    browser: Browser, stack: Stack, reader: Visitor, eventually: Eventually
):
    await reader.sign_up()
    async with visitor(browser, stack.site.url, reader.email) as other:
        await other.sign_in()
        assert urlsplit(other.page.url).path == "/dashboard"
        await reader.go("/account")
        await reader.page.get_by_role("button", name="Sign out everywhere").click()
        await reader.page.wait_for_url("**/login")

        async def is_out() -> bool:
            await other.go("/dashboard")
            return urlsplit(other.page.url).path == "/login"

        await eventually(is_out, within=30)


# What attackers come for.


@pytest.fixture
async def evil(stack: Stack) -> AsyncIterator[Callable[[str], str]]:
    """Another site: pages that send forms to ours. Told a host name, it gives its address."""

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
    """From localhost it is the same site for cookies, which the browser sends along."""
    async with visitor(browser, stack.site.url, email) as reader:
        await reader.sign_up()
        async with reader.page.expect_response(lambda one: one.request.method == "POST") as sent:
            await reader.page.goto(f"{evil(host)}?to={path}", wait_until="commit")

        assert (await sent.value).status in {303, 403}
        await reader.page.wait_for_load_state("load")
        await reader.go("/tokens")
        assert urlsplit(reader.page.url).path == "/tokens"
        await expect(reader.page.get_by_text("No token yet")).to_be_visible()


async def test_a_form_without_a_good_token_does_nothing(
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


async def test_what_was_planted_before_signing_in_is_worth_nothing_after_it(
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


async def test_no_script_can_read_a_cookie_and_none_is_sent_by_other_sites_forms(reader: Visitor):
    await reader.sign_up()
    cookies = await reader.cookies()

    assert {"site-access", "site-refresh", "site-nonce"} <= cookies.keys()
    assert all(one["httpOnly"] and one["sameSite"] == "Lax" for one in cookies.values())
    assert await reader.page.evaluate("document.cookie") == ""


async def test_signed_out_cookies_are_of_no_use(
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

    await eventually(is_refused, within=30)


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


async def test_who_guesses_passwords_is_told_to_wait(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    for _ in range(20):
        await reader.sign_in(password="guessed wrong again")
        said = await reader.page.get_by_role("alert").inner_text()
        if "Too many tries" in said:
            break

    assert "Wait" in said
    await reader.sign_in()
    await expect(reader.page.get_by_role("alert")).to_contain_text("Too many tries")
    reader.complaints.clear()


async def test_quotes_come_anew_and_leave_alone_what_somebody_is_typing(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await page.get_by_text("Change the watch list").click()
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
async def test_signing_in_leads_to_a_page_of_the_site_only(
    reader: Visitor, wanted: str, reached: str
):
    await reader.sign_up()
    await reader.sign_out()
    await reader.sign_in(path=f"/login?next={wanted}")

    assert urlsplit(reader.page.url)[1:3] == (urlsplit(reader.url).netloc, reached)


async def test_who_has_to_sign_in_first_comes_to_the_page_that_was_wanted(reader: Visitor):
    await reader.sign_up()
    await reader.sign_out()
    await reader.sign_in(path="/dashboard?symbol=AAPL&label=positive&days=30")

    assert urlsplit(reader.page.url)[2:4] == ("/dashboard", "symbol=AAPL&label=positive&days=30")
    await expect(reader.page.locator("#news .story")).to_have_count(1)


async def test_news_by_a_stranger_run_nothing_in_a_readers_browser(
    reader: Visitor, own_stores: dict[str, Any], articles: list[Article]
):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    async with written(own_stores["couch"].url) as news:
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
            await expect(reader.page.get_by_role("link", name="Read it at")).to_have_count(0)
        finally:
            await news._couch.put("news", {"_id": saved.id, "_rev": saved.rev, "_deleted": True})


async def test_eight_tabs_come_back_with_one_refresh_token_and_all_stay_signed_in(
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
    ground: Path, stack: Stack, client: aiohttp.ClientSession
):
    over = Process("webservice", ground / "https", {**stack.site.environment, "HTTPS": "true"})
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
async def test_every_answer_tells_browsers_to_run_nothing_from_elsewhere(
    client: aiohttp.ClientSession, stack: Stack, path: str
):
    answer = await client.get(stack.site.url + path)

    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


async def test_no_log_has_an_address_a_password_or_a_token(reader: Visitor, stack: Stack):
    await reader.sign_up()
    token = await reader.make_token("Logged")
    await reader.sign_out()
    await reader.sign_in(password="not the password")
    reader.complaints.clear()
    log = stack.site.log

    assert log
    for secret in (reader.email, reader.email.split("@")[0], PASSWORD, token, "not the password"):
        assert secret not in log


# What is not there, and what is away.


@pytest.mark.parametrize(
    "path", ["/nowhere", "/news/news-" + "0" * 32, "/news/..%2f..", "/tokens/x"]
)
async def test_what_does_not_exist_is_a_page_that_leads_on(
    browser: Browser, stack: Stack, email: str, path: str
):
    async with visitor(browser, stack.site.url, email) as reader:
        await reader.sign_up()
        assert await reader.go(path) == 404
        await expect(
            reader.page.get_by_role("heading", name="There is no such page")
        ).to_be_visible()
        await reader.page.get_by_role("main").get_by_role("link", name="Dashboard").click()
        await reader.page.wait_for_url("**/dashboard")


async def says(reader: Visitor, path: str, text: str, eventually: Eventually) -> None:
    """The page comes to say so: pools and caches may take a moment to notice."""

    async def seen() -> bool:
        await reader.go(path)
        return await reader.page.get_by_text(text).count() > 0

    await eventually(seen, within=60, every=0.3)


async def test_without_influxdb_usage_says_so_and_the_rest_goes_on(
    reader: Visitor, own_stores: dict[str, Any], eventually: Eventually
):
    await reader.sign_up()
    await asyncio.to_thread(own_stores["influx"].stop)
    try:
        await says(reader, "/usage", "Usage cannot be shown", eventually)
        assert await reader.go("/dashboard") == 200
        await expect(reader.page.locator("#news .story").first).to_be_visible()
    finally:
        await asyncio.to_thread(own_stores["influx"].start)
    await says(reader, "/usage", "Calls per hour", eventually)


async def test_without_couchdb_quotes_go_on_and_news_come_back(
    reader: Visitor, own_stores: dict[str, Any], eventually: Eventually, articles: list[Article]
):
    await reader.sign_up()
    await asyncio.to_thread(own_stores["couch"].stop)
    try:
        await says(reader, "/dashboard", "The news store does not answer", eventually)
        await expect(reader.page.locator(".tile b").first).to_be_visible()
        await expect(reader.page.get_by_text("The scores do not answer")).to_be_visible()
        assert await reader.go("/") == 200
        assert await reader.go(f"/news/{articles[0].id}") == 503
        await expect(reader.page.get_by_text("A part of the site is away")).to_be_visible()
    finally:
        await asyncio.to_thread(own_stores["couch"].start)
        # What is in memory alone is written anew, as the real database would have kept it.
    await says(reader, "/dashboard", "Watch list", eventually)
    reader.complaints.clear()


async def test_without_the_quotes_service_the_news_go_on(
    reader: Visitor, stack: Stack, eventually: Eventually
):
    await reader.sign_up()
    stack.quotes.stop()
    try:
        await says(reader, "/dashboard", "Quotes are away", eventually)
        await expect(reader.page.locator("#news .story").first).to_be_visible()
    finally:
        stack.quotes.start()
        await asyncio.to_thread(stack.quotes.wait)
    await says(reader, "/dashboard", "Simulated prices", eventually)


async def test_without_auth_a_reader_reads_on_and_comes_back_signed_in(
    reader: Visitor, stack: Stack, eventually: Eventually
):
    await reader.sign_up()
    stack.auth.stop()
    try:
        await says(reader, "/dashboard", "The sign-in service does not answer", eventually)
        await expect(reader.page.locator("#news .story").first).to_be_visible()
        await says(reader, "/tokens", "Your tokens cannot be shown", eventually)
    finally:
        stack.auth.start()
        await asyncio.to_thread(stack.auth.wait)
    await says(reader, "/account", reader.email, eventually)
    reader.complaints.clear()


async def test_without_auths_redis_nobody_is_signed_out_and_signing_in_says_what_to_do(
    browser: Browser,
    reader: Visitor,
    stack: Stack,
    own_stores: dict[str, Any],
    eventually: Eventually,
):
    await reader.sign_up()
    async with visitor(browser, stack.site.url, reader.email) as other:
        await asyncio.to_thread(own_stores["redis"].stop)
        try:
            assert await reader.go("/dashboard") == 200
            await expect(reader.page.locator("#news .story").first).to_be_visible()
            await other.sign_in()
            await expect(other.page.get_by_role("alert")).to_contain_text("try again")
        finally:
            await asyncio.to_thread(own_stores["redis"].start)

        async def is_in() -> bool:
            await other.sign_in()
            return urlsplit(other.page.url).path == "/dashboard"

        await eventually(is_in, within=60, every=0.5)
    await says(reader, "/account", reader.email, eventually)
    reader.complaints.clear()


def _words(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
