"""Serves static files, which are read once at startup and versioned by their content.

Rule: if an address contains the correct version (`?v=...`), its content never changes, so browsers
may cache it forever.
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger("webservice")

_OWN: Final = Path(__file__).with_name("static")
HTMX: Final = "htmx.min.js"
_HTMX_AT: Final = (f"htmx.org/dist/{HTMX}", f"node_modules/htmx.org/dist/{HTMX}")


@dataclass(frozen=True, slots=True)
class File:
    """A static file that is ready to send."""

    body: bytes
    content_type: str
    version: str


class Files:
    """The site's static files, including htmx."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    @classmethod
    def read(cls, assets: Path) -> "Files":
        """Read all static files. If htmx is missing, log a warning and continue."""
        paths = {path.name: path for path in _OWN.iterdir() if path.is_file()}
        htmx = next((assets / at for at in _HTMX_AT if (assets / at).is_file()), None)
        if htmx is None:
            log.warning("could not find htmx; pages work without it", assets_directory=str(assets))
        else:
            paths[HTMX] = htmx
        return cls({name: _file(path) for name, path in paths.items()})

    def address(self, name: str) -> str:
        """Return a file's versioned address, or "" if there is no such file."""
        file = self._files.get(name)
        return f"/static/{name}?v={file.version}" if file else ""

    async def get(self, request: web.Request) -> web.Response:
        """Serve one static file."""
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        is_versioned = request.query.get("v") == file.version
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if is_versioned else "no-cache",
            "ETag": f'"{file.version}"',
        }
        if any(etag.value == file.version for etag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        response = web.Response(body=file.body, content_type=file.content_type, headers=headers)
        response.enable_compression()
        return response


def _file(path: Path) -> File:
    body = path.read_bytes()
    kind, _ = mimetypes.guess_type(path.name)
    version = hashlib.sha256(body).hexdigest()[:12]
    return File(body, kind or "application/octet-stream", version)
