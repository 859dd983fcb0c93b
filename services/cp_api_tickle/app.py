"""Sets up cp_api_tickle, which serves only health checks and metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from runtime.web.application import application
from runtime.web.outgoing import outgoing
from services.cp_api_tickle.daemon import Tickler
from services.cp_api_tickle.decide import Policy
from services.cp_api_tickle.settings import Settings
from services.cp_api_tickle.webhook import Webhook
from services.peers.gateway import Gateway, trust


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[web.Application, Tickler, Webhook]]:
    """Yield the application, the tickler and the webhook. The caller must run all three."""
    tls = None
    if settings.gateway_url.startswith("https:"):
        tls = trust(ca=settings.gateway_ca, is_verified=settings.gateway_verify)
    async with (
        outgoing(
            name="gateway", connections=2, timeout_seconds=settings.gateway_seconds
        ) as to_gateway,
        outgoing(name="alarms", connections=2, timeout_seconds=10.0) as to_webhook,
    ):
        webhook = Webhook(to_webhook, settings.alarm_webhook_url)
        tickler = Tickler(
            Gateway(to_gateway, settings.gateway_url, tls=tls),
            webhook,
            policy=Policy(lost_after_seconds=settings.lost_after_seconds),
            every_seconds=settings.every_seconds,
        )
        checks = {"session": tickler.check}
        yield application("cp_api_tickle", settings=settings, checks=checks), tickler, webhook
