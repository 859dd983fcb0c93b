"""A visitor of the site: real Chromium, as packaged by Debian, with its complaints."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

CHROMIUM: Final = "/usr/bin/chromium"
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_MILLISECONDS: Final = 4 * 30_000
"""The 4 is `waiting.PATIENCE`, which the lab's tests cannot import."""
WIDE: Final = (1280, 900)
PHONE: Final = (390, 844)
PASSWORD: Final = "correct horse battery staple"


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """A browser without a window or a profile."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*_ARGUMENTS, *arguments], timeout=WITHIN_MILLISECONDS
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """One person's browser, with its own cookies and one tab."""

    context: BrowserContext
    page: Page
    url: str
    email: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def go(self, path: str) -> int:
        """Open a page; returns its status."""
        answer = await self.page.goto(path, wait_until="load")
        return answer.status if answer else 0

    async def sign_up(self) -> None:
        await self.go("/sign-up")
        await self.page.get_by_label("E-mail").fill(self.email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Create account").click()
        await self.page.wait_for_url("**/dashboard")

    async def sign_in(self, *, password: str = PASSWORD, path: str = "/login") -> None:
        """Fill in the form and send it; the caller checks where it leads."""
        await self.go(path)
        await self.page.get_by_label("E-mail").fill(self.email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_load_state("load")

    async def sign_out(self) -> None:
        await self.page.get_by_role("button", name="Sign out", exact=True).click()
        await self.page.wait_for_load_state("load")

    async def make_token(self, name: str, *, scopes: Sequence[str] = ()) -> str:
        """Create an API token on its page; returns its text."""
        await self.go("/tokens")
        await self.page.get_by_label("Name").fill(name)
        for scope in scopes:
            await self.page.locator(f"input[value='{scope}']").check()
        await self.page.get_by_role("button", name="Create token").click()
        shown = self.page.get_by_label("Your new token")
        await expect(shown).to_be_visible()
        return await shown.input_value()

    async def revoke_token(self, name: str) -> None:
        """Revoke the newest API token with this name."""
        await self.go("/tokens")
        await self.page.get_by_text(f"Revoke {name}").first.click()
        await self.page.get_by_role("button", name=f"Revoke {name}").click()
        await expect(self.page.get_by_text("The token has been revoked")).to_be_visible()

    async def cookies(self) -> dict[str, Any]:
        """The browser's cookies by name."""
        return {one["name"]: one for one in await self.context.cookies()}


@asynccontextmanager
async def visitor(browser: Browser, url: str, email: str, **options: Any) -> AsyncIterator[Visitor]:
    """A visitor with an empty browser; `options` are those of Playwright's contexts."""
    width, height = options.pop("size", WIDE)
    options = {"viewport": {"width": width, "height": height}} | options
    context = await browser.new_context(base_url=url, **options)
    context.set_default_timeout(WITHIN_MILLISECONDS)
    context.set_default_navigation_timeout(WITHIN_MILLISECONDS)
    expect.set_options(timeout=WITHIN_MILLISECONDS)
    try:
        page = await context.new_page()
        one = Visitor(context, page, url, email)
        page.on("console", lambda said: _complain(one, said.type, said.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("request", lambda asked: one.hosts.add(urlsplit(asked.url).netloc))
        yield one
    finally:
        await context.close()


def _complain(one: Visitor, kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        one.complaints.append(text)
