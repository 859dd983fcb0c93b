"""Converts a model to a JSON response with an ETag and caching headers.

Rule: the ETag is strong, so equal models must be serialised to identical bytes.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web
from multidict import CIMultiDict
from pydantic import BaseModel

_CACHING = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""Clients may store a response, but must revalidate the response before using it."""


def response(
    request: web.Request,
    body: BaseModel,
    *,
    headers: Mapping[str, str],
    is_paged: bool = False,
) -> web.Response:
    """Return 200 with the body, or 304 if the client's copy is current."""
    content = body.model_dump_json(by_alias=True).encode()
    response_headers = CIMultiDict(_CACHING)
    response_headers.update(headers)
    response_headers["ETag"] = tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    next_cursor = getattr(body, "next", None) if is_paged else None
    if next_cursor:
        query = {**request.query, "cursor": next_cursor}
        response_headers["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
    if matches(request.headers.get("If-None-Match"), tag):
        return web.Response(status=304, headers=response_headers)
    return web.Response(body=content, headers=response_headers, content_type="application/json")


def matches(if_none_match: str | None, tag: str) -> bool:
    """Return whether `If-None-Match` matches the tag in a weak comparison (RFC 9110)."""
    if if_none_match is None:
        return False
    tags = (part.strip().removeprefix("W/") for part in if_none_match.split(","))
    return if_none_match.strip() == "*" or tag in tags
