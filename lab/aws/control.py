"""The daemon's ear: what is asked of the market, over a socket that only root can reach.

Rule: an order names an instance and says when in seconds from now; the daemon's clock alone
makes a time of it. `lab.aws.orders` is who asks.
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
    """Take orders for the time of a `with`."""

    async def take(request: web.Request) -> web.Response:
        asked = await request.json()
        instance = instances().get(asked["instance"])
        if instance is None:
            raise web.HTTPNotFound(text=f"EC2 knows no instance {asked['instance']}")
        try:
            at = _obey(market, instance, request.match_info["order"], asked)
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


def _obey(market: Market, instance: Instance, order: str, asked: Mapping[str, Any]) -> datetime:
    """Carry an order out; returns the time it speaks of."""
    now = clock.now()
    at = now + timedelta(seconds=asked.get("seconds", 0))
    by = By(asked.get("by", By.BOTH))
    match order:
        case "interrupt":
            market.interrupt(instance, action=Action(asked["action"]), by=by, now=now, at=at)
        case "hint":
            market.hint(instance, by=by, now=now)
        case "maintain":
            market.maintain(instance, code=Code(asked["code"]), by=by, now=now, at=at)
        case "withdraw":
            market.withdraw(instance, now=now)
        case _:
            raise LabError(f"the market knows no {order}")
    return at
