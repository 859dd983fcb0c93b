"""The site as people use it: real processes, real stores, real Chromium."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from playwright.async_api import Browser, expect
from site_articles import STORIES
from site_browser import PASSWORD, PHONE, Visitor, visitor
from site_stack import Stack
from site_stage import IN_THE_BROWSERS_LOOP, Eventually

from services.stores.news import Article

pytestmark = IN_THE_BROWSERS_LOOP


async def call(client: aiohttp.ClientSession, stack: Stack, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with client.get(f"{stack.api.url}/v1/news?limit=3", headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_a_reader_signs_up_reads_creates_a_token_uses_it_and_revokes_it(
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
    await expect(page.get_by_role("link", name="Read on")).to_have_attribute(
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

    await eventually(is_refused, within=20, patience=1)

    await reader.sign_out()
    await expect(page.get_by_text("You have signed out")).to_be_visible()
    await reader.go("/dashboard")
    assert urlsplit(page.url).path == "/login"


async def test_more_news_is_added_to_the_list_on_the_same_page(reader: Visitor):
    await reader.sign_up()
    stories = reader.page.locator("#news .story")
    before = await stories.count()
    assert before < len(STORIES)
    await reader.page.get_by_role("link", name="More news").click()

    await expect(stories).to_have_count(len(STORIES))
    assert urlsplit(reader.page.url).query == ""
    titles = await stories.locator("h3").all_inner_texts()
    assert len(set(titles)) == len(STORIES)


async def test_a_reader_chooses_a_watch_list(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await page.get_by_text("Change your watch list").click()
    await page.get_by_label("Symbols, up to").fill("msft, aapl <b>")
    await page.get_by_role("button", name="Save").click()

    await expect(page.locator(".tile b")).to_have_text(["MSFT", "AAPL"])


async def test_everything_works_without_javascript(browser: Browser, stack: Stack, email: str):
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


async def test_a_reader_signs_in_with_the_keyboard_only(reader: Visitor):
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
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
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


async def test_every_page_has_a_title_landmarks_and_labels(
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
    # Chromium itself logs each 401.
    reader.complaints.clear()


async def test_a_password_is_changed_and_this_browser_stays_signed_in(reader: Visitor):
    await reader.sign_up()
    page = reader.page
    await reader.go("/account")
    await expect(page.get_by_text(reader.email)).to_be_visible()
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_label("New password").fill("another long password")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Your password has been changed")).to_be_visible()
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


def _words(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
