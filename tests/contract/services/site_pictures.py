"""Pictures of the site for the docs: `python tests/contract/services/site_pictures.py`.

Alone it starts the stores and services on this host, with the articles of the tests. With
`--site` and `--api` it visits a site that runs, as a new reader, and changes nothing else there;
`--map 'MAP site.lab 10.0.0.5'` is Chromium's `--host-resolver-rules`.
"""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import aiohttp
from playwright.async_api import APIRequestContext, Browser
from ports import free_port
from pydantic import SecretStr
from site_articles import publish
from site_browser import PHONE, Visitor, chromium, visitor
from site_stack import Stack

from lab.site import host_stores
from runtime import clock
from services.stores.couch import Couch
from services.stores.news import News
from services.stores.usage import Call, Usage

PICTURES: Final = Path(__file__).parents[3] / "docs/pictures"
WIDE: Final = (1280, 860)
TALL: Final = (PHONE[0], 1360)
"""A phone's width; so high that news are in the picture."""


@asynccontextmanager
async def own_site() -> AsyncIterator[tuple[Stack, str]]:
    """Stores, articles and services, for as long as pictures are taken."""
    with ExitStack() as ended, tempfile.TemporaryDirectory(prefix="sitepics-") as place:
        ground = Path(place)
        redis = host_stores.Redis(ground / "redis", free_port())
        couch = host_stores.Couch(ground / "couch", free_port())
        influx = host_stores.Influx(ground / "influx", free_port(), inner_port=free_port())
        for store in (redis, couch, influx):
            store.start()
            ended.callback(store.stop)
        async with aiohttp.ClientSession() as session:
            news = News(Couch(session, couch.url))
            await news.prepare()
            await publish(news, now=clock.now())
        stack = Stack(ground, redis=redis, couch=couch, influx=influx)
        ended.callback(stack.stop)
        stack.start()
        yield stack, influx.password


async def take(
    browser: Browser,
    site: str,
    api: str,
    into: Path,
    *,
    stack: Stack | None = None,
    influx: str = "",
) -> None:
    """Visit the site as a new reader and take the docs' pictures."""
    email = f"pictures-{secrets.token_hex(6)}@site-pictures.org"
    async with visitor(
        browser, site, email, size=WIDE, device_scale_factor=1.5, ignore_https_errors=True
    ) as reader:
        await reader.go("/")
        await shoot(reader, into / "site-landing.png")
        await reader.sign_up()
        tokens = [
            await reader.make_token("Morning report"),
            await reader.make_token("Trading notebook", scopes=["quotes:read", "usage:read"]),
        ]
        for at, token in enumerate(tokens):
            await use(reader.context.request, api, token, calls=40 - 15 * at)
        if stack is not None:
            await a_past(stack, influx, reader, tokens)
        await counted(reader, at_least=60)
        await shoot(reader, into / "site-usage.png")
        await reader.make_token("Weekly digest")
        await shoot(reader, into / "site-tokens.png")
        # Its text is in the picture, which everybody will see.
        await reader.revoke_token("Weekly digest")
        await reader.go("/dashboard")
        await shoot(reader, into / "site-dashboard.png")
        async with visitor(
            browser, site, email, size=TALL, device_scale_factor=2, ignore_https_errors=True
        ) as phone:
            await phone.sign_in()
            await shoot(phone, into / "site-phone.png")


async def use(asked: APIRequestContext, api: str, token: str, *, calls: int) -> None:
    """Call the API as a program with this token would; one call in eight asks for nothing."""
    for at in range(calls):
        path = ("/v1/news?limit=5", "/v1/sentiment?days=7", "/v1/news/none")[
            2 if at % 8 == 7 else at % 2
        ]
        await asked.get(api + path, headers={"Authorization": f"Bearer {token}"})


async def a_past(stack: Stack, influx: str, reader: Visitor, tokens: list[str]) -> None:
    """A day of calls before the ones just made: a chart of one column tells nothing."""
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {tokens[0]}"}
        async with session.get(f"{stack.auth.url}/verify", headers=headers) as answer:
            who = await answer.json()
        usage = Usage(
            session, stack.site.environment["INFLUXDB_URL"], host_stores.USER, SecretStr(influx)
        )
        now = int(clock.now().timestamp())
        calls = []
        for hour in range(1, 24):
            for number in range((hour * 37) % 61 + (25 if hour in range(8, 16) else 3)):
                status = 404 if (number * 7 + hour) % 19 == 0 else 200
                calls.append(
                    Call(
                        at_nanoseconds=(now - hour * 3600 - number * 7) * 10**9 + number,
                        token=str(who["token"]),
                        account=str(who["account"]),
                        route="/v1/news",
                        method="GET",
                        status=status,
                        latency_ms=3 + (number * 13 % 29) / 4,
                    )
                )
        await usage.write(calls)


async def counted(reader: Visitor, *, at_least: int) -> None:
    """Until the usage page has counted the calls; a minute at most."""
    deadline = clock.monotonic() + 60
    while clock.monotonic() < deadline:
        await reader.go("/usage")
        told = await reader.page.locator("dd").first.inner_text()
        if int(told.replace(",", "")) >= at_least:
            return
        await asyncio.sleep(0.5)
    raise SystemExit(f"the usage page has not counted {at_least} calls")


async def shoot(reader: Visitor, path: Path) -> None:
    """What is on the screen, without a blinking cursor."""
    await reader.page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
    await reader.page.screenshot(path=path, animations="disabled", caret="hide")
    print(path)


async def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", help="address of a running site, instead of one of our own")
    parser.add_argument("--api", help="address of its API")
    parser.add_argument("--map", default="", help="Chromium's --host-resolver-rules")
    parser.add_argument("--into", type=Path, default=PICTURES)
    told = parser.parse_args()
    told.into.mkdir(parents=True, exist_ok=True)
    rules = [f"--host-resolver-rules={told.map}"] if told.map else []
    async with chromium(*rules) as browser:
        if told.site:
            api = told.api or told.site.replace("://", "://api.", 1)
            assert urlsplit(api).netloc
            await take(browser, told.site, api, told.into)
            return
        async with own_site() as (stack, influx):
            await take(
                browser, stack.site.url, stack.api.url, told.into, stack=stack, influx=influx
            )


if __name__ == "__main__":
    asyncio.run(main())
