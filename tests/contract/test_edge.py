"""The edge's own Traefik options and middlewares, in a real Traefik, with one of our services.

The dashboard's router is here what its labels in `compose/edge.yml` say.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import bcrypt
import pytest
import yaml
from aiohttp import web
from ports import free_port
from waiting import poll
from yarl import URL

from cli.deploy.stackfile.stack import load
from cli.deploy.stackfile.variables import complete
from runtime.web.application import application
from runtime.web.settings import WebSettings

COMPOSE: Final = Path(__file__).parents[2] / "compose"
PASSWORD: Final = "only for operators"
OPERATOR: Final = {"Authorization": aiohttp.encode_basic_auth("ada", PASSWORD)}
DOMAIN: Final = "example.org"


@dataclass
class Edge:
    """Where the edge's entry points are."""

    web: str
    websecure: str
    dashboard: str


def command(ports: dict[str, int], dynamic: Path) -> list[str]:
    """Return the options of the stack file with certificates, at other ports."""
    env = {"DOMAIN": DOMAIN, "VERSION": "7", "ACME": "staging", "ACME_EMAIL": "a@b.c"}
    text = (COMPOSE / "edge.yml").read_text()
    stack = load("edge", text, complete(env), directory=COMPOSE, read=Path.read_bytes)
    options = []
    for option in stack.document["services"]["traefik"]["command"]:
        name, _, value = option.partition("=")
        if name.startswith("--entrypoints.") and name.endswith(".address"):
            published = value.rpartition(":")[2]
            options.append(f"{name}=127.0.0.1:{ports.get(published) or free_port()}")
        elif not name.startswith("--providers."):
            options.append(option)
    return [*options, f"--providers.file.directory={dynamic}"]


def routes(service_port: int, users: Path) -> dict[str, Any]:
    return {
        "http": {
            "routers": {
                "site": {
                    "rule": f"Host(`{DOMAIN}`)",
                    "entryPoints": ["websecure"],
                    "service": "site",
                },
                "dashboard": {
                    "rule": "PathPrefix(`/`)",
                    "entryPoints": ["traefik"],
                    "service": "api@internal",
                    "middlewares": ["users"],
                },
            },
            "services": {
                "site": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{service_port}"}]}}
            },
            "middlewares": {
                "users": {"basicAuth": {"usersFile": str(users), "removeHeader": True}}
            },
        }
    }


@asynccontextmanager
async def a_service() -> AsyncIterator[int]:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = application("example", settings=WebSettings())
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield port
    await runner.cleanup()


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    program = Path(sys.executable).with_name("traefik")
    dynamic, users = tmp_path / "dynamic", tmp_path / "users"
    dynamic.mkdir()
    users.write_text(f"ada:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    (dynamic / "site.yml").write_text((COMPOSE / "traefik" / "site.yml").read_text())
    ports = {"80": free_port(), "443": free_port(), "8080": free_port()}
    async with a_service() as service_port:
        (dynamic / "routes.yml").write_text(yaml.safe_dump(routes(service_port, users)))
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: ASYNC220
                [str(program), *command(ports, dynamic)], stdout=log, stderr=log, cwd=tmp_path
            )
        try:
            opened = Edge(
                f"http://127.0.0.1:{ports['80']}",
                f"https://127.0.0.1:{ports['443']}",
                f"127.0.0.1:{ports['8080']}",
            )

            async def is_up() -> bool:
                try:
                    return await status(f"{opened.websecure}/", Host=DOMAIN) == 200
                except aiohttp.ClientError:
                    return False

            await poll(is_up)
            yield opened
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)


async def status(url: str, **headers: str) -> int:
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
        session.get(URL(url, encoded=True), headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status


async def test_the_dashboard_is_served_over_tls_only(edge: Edge) -> None:
    secure = f"https://{edge.dashboard}/api/version"
    assert await status(secure) == 401
    assert await status(secure, **OPERATOR) == 200
    # Plain http gets no 401, so no browser asks the operator for a password.
    plain = f"http://{edge.dashboard}/api/version"
    assert await status(plain) not in {200, 401}
    assert await status(plain, **OPERATOR) not in {200, 401}


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/health/ready", "/health/live", "/%6detrics", "//metrics", "/a/../metrics"],
)
async def test_the_operators_routes_cannot_be_reached_through_the_edge(
    edge: Edge, path: str
) -> None:
    dropped = "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Server, X-Real-Ip"
    for headers in ({}, {"Connection": dropped}, {"X_Forwarded_For": "x", "Connection": "close"}):
        assert await status(edge.websecure + path, Host=DOMAIN, **headers) == 404
