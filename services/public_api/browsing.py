"""The document as a page to try it on: Swagger UI, from this service itself.

Rule: nothing is loaded from elsewhere and nothing is inline but styles, and the page's policy
says so to the browser.
"""

import json
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from runtime.web.problems import Problem

_FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spotswarm News API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="api"><p>The document itself is at <a href="/openapi.json">/openapi.json</a>.</p></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""


def add_routes(app: web.Application, *, document: dict[str, Any], assets: Path) -> None:
    """`/openapi.json`, `/docs` and what it loads; `/` leads there."""
    content = json.dumps(document, ensure_ascii=False).encode()

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json", headers=_SHARED)

    async def page(_request: web.Request) -> web.Response:
        return web.Response(
            text=_PAGE,
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY, **_SHARED},
        )

    async def start(_request: web.Request) -> web.Response:
        return web.Response(text=_START, content_type="text/javascript", headers=_SHARED)

    async def asset(request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        found = assets / "swagger-ui-dist" / name
        if name not in _FILES or not found.is_file():
            raise Problem(status=404, title="No such file", detail="It is no part of this page.")
        return web.FileResponse(found, headers={"Content-Type": _FILES[name], **_SHARED})

    async def home(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/docs")

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/start.js", start)
    app.router.add_get("/docs/{file}", asset)
    app.router.add_get("/", home)


_SHARED: Final = {"Cache-Control": "public, max-age=300"}
