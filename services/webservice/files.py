"""Static files, read once at start and versioned by their content.

Rule: an address with the right `v` never changes its content, so browsers may cache it for ever.
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
    """One file, ready to send."""

    body: bytes
    content_type: str
    version: str


class Files:
    """Our own files and htmx."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    @classmethod
    def read(cls, assets: Path) -> "Files":
        """Read all files. htmx may be missing, our own files may not."""
        paths = {path.name: path for path in _OWN.iterdir() if path.is_file()}
        htmx = next((assets / at for at in _HTMX_AT if (assets / at).is_file()), None)
        if htmx is None:
            log.warning("htmx not found", assets_directory=str(assets))
        else:
            paths[HTMX] = htmx
        return cls({name: _file(path) for name, path in paths.items()})

    def address(self, name: str) -> str:
        """The address of a file for pages; "" when there is no such file."""
        file = self._files.get(name)
        return f"/static/{name}?v={file.version}" if file else ""

    async def get(self, request: web.Request) -> web.Response:
        """Serve one file."""
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
