"""Turns a model into a response: JSON, its ETag, and the headers for caches.

Rule: the ETag is strong, so equal models must serialise to equal bytes.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web
from multidict import CIMultiDict
from pydantic import BaseModel

_CACHING = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""A client may store an answer but must ask whether it is still current."""


def response(
    request: web.Request,
    body: BaseModel,
    *,
    headers: Mapping[str, str],
    is_paged: bool = False,
) -> web.Response:
    """200 with the body, or 304 when the client already has it."""
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
    """Whether `If-None-Match` names the tag, by the weak comparison that RFC 9110 prescribes."""
    if if_none_match is None:
        return False
    tags = (part.strip().removeprefix("W/") for part in if_none_match.split(","))
    return if_none_match.strip() == "*" or tag in tags
