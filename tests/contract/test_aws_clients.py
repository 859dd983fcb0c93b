"""The leader's clients and a metadata service that is slow, or has no role yet."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from waiting import PATIENCE

from leader.edges.aws.clients import Aws
from runtime.errors import UnavailableError

ROLES = "iam/security-credentials/"
CREDENTIALS = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "ASIAEXAMPLEEXAMPLE00",
    "SecretAccessKey": "example-secret",
    "Token": "example-token",
    "LastUpdated": "2026-11-30T00:00:00Z",
    "Expiration": "2126-11-30T00:00:00Z",
}
ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)


async def sts(request: web.Request) -> web.Response:
    if "ASIAEXAMPLEEXAMPLE00" not in request.headers.get("Authorization", ""):
        raise web.HTTPForbidden
    return web.Response(text=ANSWER, content_type="text/xml")


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        try:
            yield sock.getsockname()[1]
        finally:
            await runner.cleanup()


@asynccontextmanager
async def opened() -> AsyncIterator[Aws]:
    app = web.Application()
    app.router.add_post("/", sts)
    async with serving(app) as port:
        endpoint = f"http://127.0.0.1:{port}/"
        async with Aws(region="eu-central-1", endpoint=endpoint) as aws:
            yield aws


@pytest.fixture
def credentials_of_the_instance() -> Iterator[pytest.MonkeyPatch]:
    """Credentials come from the metadata service alone."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        environment.delenv("AWS_PROFILE", raising=False)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "false")
        environment.setenv("AWS_CONFIG_FILE", "/dev/null")
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        yield environment


async def test_a_role_that_comes_late_is_used_by_the_next_call(
    imds: Any, credentials_of_the_instance: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{imds.port}/"
    credentials_of_the_instance.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    async with asyncio.timeout(60 * PATIENCE), opened() as aws:
        with pytest.raises(UnavailableError, match="has no credentials yet"):
            await aws.account()

        imds.texts[ROLES] = "spotswarm-manager"
        imds.texts[f"{ROLES}spotswarm-manager"] = json.dumps(CREDENTIALS)

        assert await aws.account() == "123456789012"


async def test_a_metadata_service_that_takes_two_seconds_is_waited_for(
    credentials_of_the_instance: pytest.MonkeyPatch,
) -> None:
    async def token(_request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response(text="token")

    async def get(request: web.Request) -> web.Response:
        is_list = request.path.endswith("/")
        return web.Response(text="manager" if is_list else json.dumps(CREDENTIALS))

    app = web.Application()
    app.router.add_put("/latest/api/token", token)
    app.router.add_get("/{path:.*}", get)
    async with asyncio.timeout(60 * PATIENCE), serving(app) as port:
        url = f"http://127.0.0.1:{port}/"
        credentials_of_the_instance.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        async with opened() as aws:
            assert await aws.account() == "123456789012"
