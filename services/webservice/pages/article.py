"""One article, with what the machine made of it."""

import re
from typing import Final

from aiohttp import web

from runtime.errors import GoneError
from services.webservice.site import ask, render, site_of, viewer_of

_ID: Final = re.compile(r"news-[0-9a-f]{32}")


async def get(request: web.Request) -> web.Response:
    """The article; 404 when there is none of that name, 503 when the store cannot say."""
    await viewer_of(request)
    wanted = request.match_info["id"]
    if not _ID.fullmatch(wanted):
        raise web.HTTPNotFound
    try:
        asked = await ask(request, "article", site_of(request).news.article(wanted), away="away")
    except GoneError as exc:
        raise web.HTTPNotFound from exc
    if asked.value is None:
        raise web.HTTPServiceUnavailable
    return await render(request, "article.html", article=asked.value)
