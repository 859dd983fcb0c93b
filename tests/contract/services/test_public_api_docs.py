"""The docs page in real Chromium, under the page's own policy."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from playwright.async_api import expect

sys.path.insert(0, str(Path(__file__).parent))

from api_stage import Account, Stage, publish
from site_browser import WITHIN_MILLISECONDS, chromium

from lab.site import host_stores
from services.public_api.routes import ROUTES
from services.stores.couch import Couch


async def test_a_call_can_be_tried_without_loading_from_other_hosts(
    api_stage: Stage,
    session: aiohttp.ClientSession,
    couch_store: host_stores.Couch,
    tmp_path: Path,
) -> None:
    await publish(Couch(session, couch_store.url), 2)
    account = Account(session, api_stage.auth.url)
    await account.sign_up()
    token = await account.token()
    complaints: list[str] = []
    hosts: set[str] = set()
    async with chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(WITHIN_MILLISECONDS)
        expect.set_options(timeout=WITHIN_MILLISECONDS)
        page.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda one: hosts.add(urlsplit(one.url).netloc))
        await page.goto(f"{api_stage.api.url}/docs")
        for route in ROUTES:
            await expect(page.get_by_text(route.summary, exact=True)).to_be_visible()
        await page.get_by_role("button", name="Authorize").first.click()
        await page.locator(".modal-ux input").fill(token.text)
        await page.locator(".auth-btn-wrapper .authorize").click()
        await page.locator(".btn-done").click()
        await page.get_by_text(ROUTES[0].summary, exact=True).click()
        await page.get_by_role("button", name="Try it out").click()
        await page.get_by_role("button", name="Execute").click()
        await expect(page.locator(".live-responses-table")).to_contain_text("Headline 1")
        await page.screenshot(path=tmp_path / "docs.png", full_page=False)
    assert complaints == []
    assert hosts - {""} == {urlsplit(api_stage.api.url).netloc}
