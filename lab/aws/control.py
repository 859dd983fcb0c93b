"""Accepts requests to the simulated spot market, on a socket that only root can use.

Rule: a request contains a delay in seconds, never an absolute time. The daemon adds the delay to
the time on its own clock. `lab.aws.orders` is the client.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.aws.announced import By
from lab.aws.cloud import Instance
from lab.aws.eventbridge import Action, Code, stamp
from lab.aws.market import Market
from lab.host import LabError
from runtime import clock


@contextlib.asynccontextmanager
async def serving(
    socket: Path, market: Market, instances: Callable[[], Mapping[str, Instance]]
) -> AsyncIterator[None]:
    """Accept requests for the duration of a `with` block."""

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        instance = instances().get(body["instance"])
        if instance is None:
            raise web.HTTPNotFound(text=f"EC2 has no instance {body['instance']}")
        try:
            at = _obey(market, instance, request.match_info["order"], body)
        except (LabError, ValueError) as exc:
            raise web.HTTPConflict(text=str(exc)) from exc
        return web.json_response({"at": stamp(at)})

    app = web.Application()
    app.router.add_post("/{order}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        yield
    finally:
        await runner.cleanup()


def _obey(market: Market, instance: Instance, order: str, body: Mapping[str, Any]) -> datetime:
    """Carry out a request; return the time when it takes effect."""
    now = clock.now()
    at = now + timedelta(seconds=body.get("seconds", 0))
    by = By(body.get("by", By.BOTH))
    match order:
        case "interrupt":
            market.interrupt(instance, action=Action(body["action"]), by=by, now=now, at=at)
        case "hint":
            market.hint(instance, by=by, now=now)
        case "maintain":
            market.maintain(instance, code=Code(body["code"]), by=by, now=now, at=at)
        case "withdraw":
            market.withdraw(instance, now=now)
        case _:
            raise LabError(f"{order!r} is not a request that the spot market supports")
    return at
