"""A bare handler for `/v1/news`, the baseline for `bench.api`.

Like public_api, the handler reads the articles from CouchDB, checks the parameters, and returns the
same bytes and ETag. It does not use Traefik, tokens, rate limits, usage tracking, request logs or
metrics.
"""

import argparse
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import web

from runtime import lifecycle, logs
from runtime.web import serving
from runtime.web.outgoing import outgoing
from services.peers.quotes import Quotes
from services.public_api.calls import plain
from services.public_api.routes import ROUTES
from services.public_api.sources import Sources
from services.stores.couch import Couch
from services.stores.news import News
from services.stores.usage import Usage


async def _live(port: int, couchdb: str) -> None:
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(outgoing(name="bench"))
        unused_url = "http://127.0.0.1:1"
        sources = Sources(
            News(Couch(session, couchdb)), Quotes(session, unused_url), Usage(session, unused_url)
        )
        (route,) = (route for route in ROUTES if route.path == "/v1/news")
        no_caller: Any = None

        async def handle(request: web.Request) -> web.Response:
            return await plain(route, request, sources, no_caller, {})

        app = web.Application()
        app.router.add_get(route.path, handle)
        stopping = serving.Stopping(linger_seconds=0, finish_seconds=1)
        await serving.serve(app, host="127.0.0.1", port=port, stopping=stopping)


def main() -> None:
    """Serve requests until SIGTERM arrives."""
    parser = argparse.ArgumentParser(prog="python -m bench.api.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--couchdb", required=True, help="URL of the database server")
    options = parser.parse_args()
    logs.configure()
    raise SystemExit(lifecycle.run(_live(options.port, options.couchdb), name="bare_api"))


if __name__ == "__main__":
    main()
