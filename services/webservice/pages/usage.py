"""The usage page, which shows the API calls made with an account's tokens."""

import asyncio
from typing import Final

from aiohttp import web

from runtime import clock
from services.webservice.rendering.calls import SPANS, Calls, calls, since
from services.webservice.site import Site, ask, render, site_of, viewer_of

_USAGE_AWAY: Final = (
    "Usage data is unavailable at the moment. Your calls are still counted and will appear here"
    " later."
)


async def get(request: web.Request) -> web.Response:
    """Show a chart and a table of the calls made with one token or with all tokens.

    Calls are always filtered by account, so another account's token shows no calls.
    """
    viewer = await viewer_of(request)
    site = site_of(request)
    chosen = request.query.get("span", "day")
    span = chosen if chosen in SPANS else "day"
    token = request.query.get("token", "")[:64]
    usage, tokens = await asyncio.gather(
        ask(request, "usage", _calls(site, viewer.account, token, span), away=_USAGE_AWAY),
        ask(request, "tokens", site.auth.tokens(viewer.access), away="away"),
    )
    return await render(
        request,
        "usage.html",
        usage=usage,
        tokens=tokens,
        token=token,
        span=span,
        spans=[(key, choice.name) for key, choice in SPANS.items()],
    )


async def _calls(site: Site, account: str, token: str, chosen: str) -> Calls:
    span, until = SPANS[chosen], clock.now()
    hours = await site.usage.by_hour(
        account, token=token or None, since=since(span, until=until), until=until
    )
    return calls(hours, span, until=until)
