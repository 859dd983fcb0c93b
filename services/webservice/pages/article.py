"""The article page, which shows one article with its sentiment, symbols and topics."""

import re
from typing import Final

from aiohttp import web

from runtime.errors import GoneError
from services.webservice.site import ask, render, site_of, viewer_of

_ID: Final = re.compile(r"news-[0-9a-f]{32}")


async def get(request: web.Request) -> web.Response:
    """Show the article. Respond with 404 if it does not exist, or 503 if CouchDB is unavailable."""
    await viewer_of(request)
    article_id = request.match_info["id"]
    if not _ID.fullmatch(article_id):
        raise web.HTTPNotFound
    try:
        panel = await ask(
            request, "article", site_of(request).news.article(article_id), away="away"
        )
    except GoneError as exc:
        raise web.HTTPNotFound from exc
    if panel.value is None:
        raise web.HTTPServiceUnavailable
    return await render(request, "article.html", article=panel.value)
