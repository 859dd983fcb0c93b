"""Run public_api and its dependencies as processes on this host, with and without Traefik.

Rule: run the programs as shipped. Only addresses, secrets, the rate limit and the shutdown delay
are set here.
"""

import asyncio
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiohttp
import yaml

from lab.host import LabError
from lab.site import host_stores
from runtime import clock
from services.peers.auth import SCOPES, Auth
from services.stores.couch import Couch
from services.stores.news import Analysis, Article, News, article_id, content_hash

_WITHIN_SECONDS: Final = 60.0
_ARTICLES: Final = 2_000
_TEXT_WORDS: Final = 500
_SEED: Final = 4
HOST: Final = "api.localhost"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to request the page of news."""

    name: str
    what: str
    url: str
    headers: Mapping[str, str]


@contextmanager
def standing() -> Iterator[tuple[Way, Way, Way]]:
    """Run the bare handler, public_api and Traefik, and yield three ways to request the page.

    Raises:
        LabError: if a program is missing or does not start.
    """
    with ExitStack() as open_, tempfile.TemporaryDirectory(prefix="ssb-") as path:
        place = Path(path)
        redis = host_stores.Redis(place / "redis", _free_port())
        couch = host_stores.Couch(place / "couch", _free_port())
        influx = host_stores.Influx(place / "influx", _free_port(), inner_port=_free_port())
        for store in (redis, couch, influx):
            open_.callback(store.stop)
            store.start()
        auth, api, bare, edge = (_free_port() for _ in range(4))
        for name, port, settings in (
            ("auth", auth, {"REDIS_URL": redis.url, "REDIS_PASSWORD": redis.password}),
            (
                "public_api",
                api,
                {
                    "AUTH_URL": f"http://127.0.0.1:{auth}",
                    "COUCHDB_URL": couch.url,
                    "INFLUXDB_URL": influx.url,
                    "INFLUXDB_USER": host_stores.USER,
                    "INFLUXDB_PASSWORD": influx.password,
                    "QUOTES_URL": "http://127.0.0.1:1",
                    # All requests use the same token, so its rate must not be limited.
                    "RATE_LIMIT": "1000000000",
                },
            ),
        ):
            _run(open_, place, f"services.{name}", (), {"PORT": str(port), **settings})
            _wait(place, f"services.{name}", f"http://127.0.0.1:{port}/health/live")
        token = asyncio.run(_furnish(couch.url, f"http://127.0.0.1:{auth}"))
        _run(open_, place, "bench.api.bare", ("--port", str(bare), "--couchdb", couch.url), {})
        _traefik(open_, place, edge, api)
        bearer = {"Authorization": f"Bearer {token}"}
        page = "/v1/news"
        ways = (
            Way("bare", "bare handler", f"http://127.0.0.1:{bare}{page}", {}),
            Way("direct", "public_api", f"http://127.0.0.1:{api}{page}", bearer),
            Way(
                "traefik",
                "through Traefik",
                f"http://127.0.0.1:{edge}{page}",
                {"Host": HOST, **bearer},
            ),
        )
        for way in ways:
            _wait(place, way.name, way.url, way.headers)
        yield ways


async def _furnish(couch_url: str, auth_url: str) -> str:
    """Store articles in CouchDB, create an API token, and return the token."""
    async with aiohttp.ClientSession() as session:
        couch = Couch(session, couch_url)
        news = News(couch)
        await news.prepare()
        rng = random.Random(_SEED)
        docs = [_article(number, rng).to_doc() for number in range(_ARTICLES)]
        for at in range(0, len(docs), 500):
            await couch.bulk("news", docs[at : at + 500])
        auth = Auth(session, auth_url)
        email, password = "bench@example.com", secrets.token_urlsafe(16)
        await auth.sign_up(email, password)
        login = await auth.login(email, password)
        created = await auth.make_token(login.access, name="bench", scopes=SCOPES)
        return created.token


def _article(number: int, rng: random.Random) -> Article:
    words = [f"{rng.choice(('stocks', 'rise', 'fall', 'earnings', 'market'))}{rng.randrange(999)}"]
    words += [f"word{rng.randrange(9999)}" for _ in range(_TEXT_WORDS)]
    url = f"https://news.example/{number}/{words[0]}"
    title, text = " ".join(words[:9]), " ".join(words)
    of = content_hash(title, text)
    published = clock.now() - timedelta(minutes=number)
    return Article(
        id=article_id(url),
        url=url,
        canonical_url=url,
        title=title,
        summary=" ".join(words[:40]),
        text=text,
        source=f"Feed {number % 9}",
        feed_url="https://news.example/feed",
        published=published,
        fetched=published,
        fingerprint=f"{rng.getrandbits(64):016x}",
        content_hash=of,
        ml=Analysis(
            version="1",
            of=of,
            score=0.25,
            label="positive",
            symbols=("ACME", f"SYM{number % 50}"),
            topics=("earnings",),
            at=published,
        ),
    )


def _traefik(open_: ExitStack, place: Path, port: int, api: int) -> None:
    program = Path(sys.executable).with_name("traefik")
    if not program.exists():
        raise LabError(f"{program} is missing; run `make setup` to install it")
    routes = {
        "http": {
            "routers": {
                "api": {"rule": f"Host(`{HOST}`)", "service": "api", "middlewares": ["headers"]}
            },
            "services": {
                "api": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{api}"}]}}
            },
            "middlewares": {
                "headers": {"headers": {"contentTypeNosniff": True, "frameDeny": True}}
            },
        }
    }
    (place / "routes.yml").write_text(yaml.safe_dump(routes))
    _start(
        open_,
        place,
        "traefik",
        [
            str(program),
            f"--entrypoints.web.address=127.0.0.1:{port}",
            f"--providers.file.filename={place}/routes.yml",
            "--accesslog=true",
            f"--accesslog.filepath={place}/access.log",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ],
        {},
    )


def _run(
    open_: ExitStack, place: Path, module: str, args: Sequence[str], settings: Mapping[str, str]
) -> None:
    _start(open_, place, module, [sys.executable, "-m", module, *args], settings)


def _start(
    open_: ExitStack, place: Path, name: str, command: Sequence[str], settings: Mapping[str, str]
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "LINGER_SECONDS": "0",
        **settings,
    }
    with (place / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    open_.callback(_end, process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


def _wait(place: Path, name: str, url: str, headers: Mapping[str, str] | None = None) -> None:
    deadline = clock.monotonic() + _WITHIN_SECONDS
    while True:
        try:
            request = urllib.request.Request(url, headers=dict(headers or {}))
            with urllib.request.urlopen(request, timeout=30):
                return
        except (OSError, urllib.error.URLError) as exc:
            if clock.monotonic() > deadline:
                logs = "\n".join(
                    f"{log.name}: {log.read_text(errors='replace')[-1000:]}"
                    for log in place.glob("*.log")
                )
                raise LabError(f"{name} is not responding at {url}: {exc}\n{logs}") from exc
        time.sleep(0.05)


def _free_port() -> int:
    """Return a free port below the range that the kernel uses for outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
