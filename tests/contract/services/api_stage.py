"""public_api as a process with everything behind it, and an account to call it."""

import itertools
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

sys.path.insert(0, str(Path(__file__).parent))

from site_stack import ROOT, Process

from lab.site import host_stores
from services.stores.couch import Couch
from services.stores.news import Analysis, Article, News, article_id, content_hash

Eventually = Callable[..., Awaitable[Any]]
EVERY_SCOPE: Final = ("news:read", "sentiment:read", "quotes:read", "usage:read")
BEFORE: Final = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_PASSWORD: Final = "a long enough password, said once"
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True)
class Token:
    """An API token, as its owner sees it once."""

    id: str
    text: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


@dataclass(frozen=True)
class Answer:
    """One answer, read completely."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any


class Account:
    """One person's account at auth."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.access = ""

    async def sign_up(self) -> None:
        told = {"email": f"reader{next(_NUMBERS)}@example.com", "password": _PASSWORD}
        async with self._session.post(f"{self._url}/accounts", json=told) as answer:
            assert answer.status == 201, await answer.text()
        async with self._session.post(f"{self._url}/login", json=told) as answer:
            assert answer.status == 200, await answer.text()
            self.access = (await answer.json())["access"]

    async def token(self, scopes: Sequence[str] = EVERY_SCOPE) -> Token:
        told = {"name": f"test {next(_NUMBERS)}", "scopes": list(scopes)}
        async with self._session.post(
            f"{self._url}/api-tokens", json=told, headers=self._bearer
        ) as answer:
            assert answer.status == 201, await answer.text()
            made = await answer.json()
        return Token(made["id"], made["token"])

    async def revoke(self, token: Token) -> None:
        async with self._session.delete(
            f"{self._url}/api-tokens/{token.id}", headers=self._bearer
        ) as answer:
            assert answer.status == 204, await answer.text()

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


class Stage:
    """auth, public_api and the quote services, as processes over running stores."""

    def __init__(
        self,
        directory: Path,
        *,
        redis: host_stores.Redis,
        couch: host_stores.Couch,
        influx: host_stores.Influx,
    ) -> None:
        self.directory = directory
        self.access = ""
        """The login of the account that the tests share, once it exists."""
        self.auth = Process(
            "auth",
            directory,
            {
                "REDIS_URL": redis.url,
                "REDIS_PASSWORD": redis.password,
                "MOST_TOKENS": "1000",
            },
        )
        self.simulator = Process("cp_simulator", directory, {})
        # What is away refuses connections at once; on a busy host, nothing else may count as away.
        self.quotes = Process(
            "cp_api",
            directory,
            {
                "GATEWAY_URL": self.simulator.url,
                "GATEWAY_SECONDS": "20",
                "ANSWER_SECONDS": "15",
            },
        )
        self._told = {
            "AUTH_URL": self.auth.url,
            "QUOTES_URL": self.quotes.url,
            "COUCHDB_URL": couch.url,
            "INFLUXDB_URL": influx.url,
            "INFLUXDB_USER": host_stores.USER,
            "INFLUXDB_PASSWORD": influx.password,
            "ASSETS_DIRECTORY": str(ROOT / "services/assets/node_modules"),
            "RATE_LIMIT": "1000000",
            "VERIFY_CACHE_SECONDS": "0.2",
            "AUTH_PATIENCE_SECONDS": "20",
            "OUTGOING_TIMEOUT_SECONDS": "20",
        }
        self.api = Process("public_api", directory, self._told)

    def another_api(self, name: str, **told: str) -> Process:
        """Another public_api with other settings; the caller starts and stops it."""
        return Process("public_api", self.directory / name, self._told | told)

    def start(self) -> None:
        processes = (self.auth, self.simulator, self.quotes, self.api)
        for process in processes:
            process.start()
        for process in processes:
            process.wait()

    def stop(self) -> None:
        for process in (self.api, self.quotes, self.simulator, self.auth):
            process.stop()


class Client:
    """Calls one public_api with one token."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: Token | None = None
    ) -> None:
        self._session = session
        self.url = url
        self.token = token

    def with_token(self, token: Token | None) -> "Client":
        return Client(self._session, self.url, token)

    async def get(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        own = self.token.headers if self.token else {}
        async with self._session.request(
            method, self.url + path, headers={**own, **(headers or {})}, allow_redirects=False
        ) as answer:
            body = await answer.read()
            is_json = "json" in answer.content_type and body
            return Answer(
                answer.status,
                answer.headers.copy(),
                body,
                await answer.json(content_type=None) if is_json else None,
            )


async def publish(couch: Couch, count: int, *, first: int = 0) -> list[Article]:
    """Store articles a minute apart, every second one analysed."""
    news = News(couch)
    await news.prepare()
    made = [article(number) for number in range(first, first + count)]
    await couch.bulk("news", [one.to_doc() for one in made])
    return made


def article(number: int) -> Article:
    url = f"https://news.example/{number}"
    title, text = f"Headline {number}", f"Text of {number}, which is long."
    of = content_hash(title, text)
    analysis = Analysis(
        version="1",
        of=of,
        score=0.5 if number % 4 else -0.5,
        label="positive" if number % 4 else "negative",
        symbols=("ACME",),
        topics=("earnings",),
        at=BEFORE,
    )
    return Article(
        id=article_id(url),
        url=url,
        canonical_url=url,
        title=title,
        summary=f"Summary of {number}",
        text=text,
        source="Example",
        feed_url="https://news.example/feed",
        published=BEFORE + timedelta(minutes=number),
        fetched=BEFORE,
        fingerprint=f"{number:016x}",
        content_hash=of,
        ml=None if number % 2 else analysis,
    )


PATHS = {
    "/v1/news": "/v1/news",
    "/v1/news/{id}": f"/v1/news/{article(0).id}",
    "/v1/sentiment": "/v1/sentiment",
    "/v1/quotes/{symbol}": "/v1/quotes/AAPL",
    "/v1/usage": "/v1/usage",
}
"""An existing address for each route."""


async def until(eventually: Eventually, api: Client, path: str, status: int) -> Answer:
    async def there() -> Answer | None:
        found = await api.get(path)
        return found if found.status == status else None

    found: Answer = await eventually(there, within=60, patience=1)
    return found


def assert_problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["title"]
    return dict(answer.json)
