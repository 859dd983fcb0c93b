"""Errors as answers: `application/problem+json` (RFC 9457).

Rule: a problem says what the caller did wrong or can do next, in our words. What broke inside, a
value somebody sent, or a library's message never goes out.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_SECONDS: Final = "5"

M = TypeVar("M", bound=BaseModel)


class Problem(Exception):  # noqa: N818  RFC 9457's own word
    """What a handler raises to answer with an error."""

    def __init__(
        self,
        *,
        status: int,
        title: str,
        detail: str = "",
        type: str = "about:blank",  # noqa: A002  the field's name in RFC 9457
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.type = type
        self.headers = headers
        self.extra = extra

    def response(self, *, request_id: str = "") -> web.Response:
        """The answer; the request's id lets its reader name it to an operator."""
        told: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            told["detail"] = self.detail
        if request_id:
            told["request_id"] = request_id
        return web.json_response(
            told | dict(self.extra or {}),
            status=self.status,
            content_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", **(self.headers or {})},
        )


def of_http(error: web.HTTPException) -> Problem:
    """The problem of an error aiohttp raised itself: no route, wrong method, body too large."""
    keep = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return Problem(status=error.status, title=HTTPStatus(error.status).phrase, headers=keep)


def of_cluster(error: ClusterError) -> Problem:
    """The problem of something outside; its own words are for the log."""
    if isinstance(error, UnavailableError):
        return Problem(
            status=503,
            title="Something this needs is away",
            detail="Try again in a few seconds.",
            headers={"Retry-After": _RETRY_SECONDS},
        )
    if isinstance(error, GoneError):
        return Problem(status=404, title="There is no such thing")
    if isinstance(error, RefusedError):
        return Problem(status=403, title="That is refused")
    return Problem(status=500, title="Something broke on our side")


async def body_of(request: web.Request, model: type[M]) -> M:
    """The request's JSON body as a model.

    Raises:
        Problem: 415 for another media type, 400 for no JSON, 422 for a wrong field, named.
    """
    if request.content_type != "application/json":
        raise Problem(status=415, title="JSON is expected", detail="Content-Type: application/json")
    try:
        # JSON is UTF-8, whatever the header says of it; and what nests too deep is none.
        told = json.loads((await request.read()).decode())
    except (ValueError, RecursionError) as exc:
        raise Problem(status=400, title="The body is no JSON") from exc
    try:
        return model.model_validate(told)
    except ValidationError as exc:
        wrong = [
            {"field": ".".join(map(str, one["loc"])), "detail": one["msg"]}
            for one in exc.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = wrong[0]
        detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
        raise Problem(
            status=422, title="A field is wrong", detail=detail, extra={"errors": wrong}
        ) from exc
