"""From a model to an answer: JSON, an ETag of every byte of it, and what a cache may do.

Rule: the ETag is strong, so the same models have to make the same bytes.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web
from multidict import CIMultiDict
from pydantic import BaseModel

_KEPT = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""A client may keep an answer, and has to ask whether it is still that."""


def answer(
    request: web.Request,
    body: BaseModel,
    *,
    headers: Mapping[str, str],
    is_paged: bool = False,
) -> web.Response:
    """200 with the body, or 304 when the client has it already."""
    content = body.model_dump_json(by_alias=True).encode()
    told = CIMultiDict(_KEPT)
    told.update(headers)
    told["ETag"] = tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    after = getattr(body, "next", None) if is_paged else None
    if after:
        query = {**request.query, "cursor": after}
        told["Link"] = f'<{request.path}?{urlencode(query)}>; rel="next"'
    if is_same(request.headers.get("If-None-Match"), tag):
        return web.Response(status=304, headers=told)
    return web.Response(body=content, headers=told, content_type="application/json")


def is_same(asked: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; weakly, as RFC 9110 has it for this header."""
    if asked is None:
        return False
    named = (one.strip().removeprefix("W/") for one in asked.split(","))
    return asked.strip() == "*" or tag in named
