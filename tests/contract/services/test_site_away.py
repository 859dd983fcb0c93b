"""The site while a part of it is unavailable, and pages that do not exist."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect
from site_browser import Visitor, visitor
from site_stack import Stack
from site_stage import IN_THE_BROWSERS_LOOP, Eventually

from services.stores.news import Article

pytestmark = IN_THE_BROWSERS_LOOP


@pytest.mark.parametrize(
    "path", ["/nowhere", "/news/news-" + "0" * 32, "/news/..%2f..", "/tokens/x"]
)
async def test_a_missing_page_has_links_to_others(
    browser: Browser, stack: Stack, email: str, path: str
):
    async with visitor(browser, stack.site.url, email) as reader:
        await reader.sign_up()
        assert await reader.go(path) == 404
        await expect(reader.page.get_by_role("heading", name="Page not found")).to_be_visible()
        await reader.page.get_by_role("main").get_by_role("link", name="Dashboard").click()
        await reader.page.wait_for_url("**/dashboard")


async def says(reader: Visitor, path: str, text: str, eventually: Eventually) -> None:
    """Wait until the page contains a text: pools and caches may take a moment to notice."""

    async def seen() -> bool:
        await reader.go(path)
        return await reader.page.get_by_text(text).count() > 0

    await eventually(seen, within=60, every=0.3)


async def test_without_influxdb_only_usage_is_missing_and_says_so(
    reader: Visitor, site_stores: dict[str, Any], eventually: Eventually
):
    await reader.sign_up()
    await asyncio.to_thread(site_stores["influx"].stop)
    try:
        await says(reader, "/usage", "Usage data is unavailable", eventually)
        assert await reader.go("/dashboard") == 200
        await expect(reader.page.locator("#news .story").first).to_be_visible()
    finally:
        await asyncio.to_thread(site_stores["influx"].start)
    await says(reader, "/usage", "Calls per hour", eventually)


async def test_without_couchdb_quotes_work_and_news_returns(
    reader: Visitor, site_stores: dict[str, Any], eventually: Eventually, articles: list[Article]
):
    await reader.sign_up()
    await asyncio.to_thread(site_stores["couch"].stop)
    try:
        await says(reader, "/dashboard", "The news is unavailable", eventually)
        await expect(reader.page.locator(".tile b").first).to_be_visible()
        await expect(reader.page.get_by_text("Sentiment scores are unavailable")).to_be_visible()
        assert await reader.go("/") == 200
        assert await reader.go(f"/news/{articles[0].id}") == 503
        await expect(reader.page.get_by_text("Part of the site is unavailable")).to_be_visible()
    finally:
        await asyncio.to_thread(site_stores["couch"].start)
        # The stand-in lost its memory; the real database would have kept the articles.
    await says(reader, "/dashboard", "Watch list", eventually)
    reader.complaints.clear()


async def test_without_the_quote_service_the_news_works(
    reader: Visitor, stack: Stack, eventually: Eventually
):
    await reader.sign_up()
    stack.quotes.stop()
    try:
        await says(reader, "/dashboard", "Quotes are unavailable", eventually)
        await expect(reader.page.locator("#news .story").first).to_be_visible()
    finally:
        stack.quotes.start()
        await asyncio.to_thread(stack.quotes.wait)
    await says(reader, "/dashboard", "Simulated prices", eventually)


async def test_without_auth_a_reader_keeps_reading_and_stays_signed_in(
    reader: Visitor, stack: Stack, eventually: Eventually
):
    await reader.sign_up()
    stack.auth.stop()
    try:
        await says(reader, "/dashboard", "The sign-in service is unavailable", eventually)
        await expect(reader.page.locator("#news .story").first).to_be_visible()
        await says(reader, "/tokens", "The list of your tokens is unavailable", eventually)
    finally:
        stack.auth.start()
        await asyncio.to_thread(stack.auth.wait)
    await says(reader, "/account", reader.email, eventually)
    reader.complaints.clear()


async def test_without_auths_redis_nobody_is_signed_out_and_the_login_page_says_what_to_do(
    browser: Browser,
    reader: Visitor,
    stack: Stack,
    site_stores: dict[str, Any],
    eventually: Eventually,
):
    await reader.sign_up()
    async with visitor(browser, stack.site.url, reader.email) as other:
        await asyncio.to_thread(site_stores["redis"].stop)
        try:
            assert await reader.go("/dashboard") == 200
            await expect(reader.page.locator("#news .story").first).to_be_visible()
            await other.sign_in()
            await expect(other.page.get_by_role("alert")).to_contain_text("Try again in a minute")
        finally:
            await asyncio.to_thread(site_stores["redis"].start)

        async def is_in() -> bool:
            await other.sign_in()
            return urlsplit(other.page.url).path == "/dashboard"

        await eventually(is_in, within=60, every=0.5)
    await says(reader, "/account", reader.email, eventually)
    reader.complaints.clear()
