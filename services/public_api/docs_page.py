"""Serves `/docs`, an interactive API reference rendered by Swagger UI.

Rule: the page loads nothing from other hosts and has no inline content except styles. Its security
headers enforce both restrictions (`runtime.web.security_headers`).
"""

import json
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from runtime.web import security_headers
from runtime.web.problems import Problem

_FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_SHARED: Final = {"Cache-Control": "public, max-age=300"}
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
<main id="api"><p>The OpenAPI document is at <a href="/openapi.json">/openapi.json</a>.</p></main>
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
    """Serve `/openapi.json`, `/docs` and the files that `/docs` loads. Redirect `/` to `/docs`."""
    content = json.dumps(document, ensure_ascii=False).encode()

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json", headers=_SHARED)

    async def page(_request: web.Request) -> web.Response:
        return web.Response(
            text=_PAGE,
            content_type="text/html",
            headers={**security_headers.API_REFERENCE, **_SHARED},
        )

    async def start(_request: web.Request) -> web.Response:
        return web.Response(text=_START, content_type="text/javascript", headers=_SHARED)

    async def asset(request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        path = assets / "swagger-ui-dist" / name
        if name not in _FILES or not path.is_file():
            raise Problem(status=404, title="File not found", detail="There is no such file.")
        return web.FileResponse(path, headers={"Content-Type": _FILES[name], **_SHARED})

    async def home(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/docs")

    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/start.js", start)
    app.router.add_get("/docs/{file}", asset)
    app.router.add_get("/", home)
