"""HTTP responses for errors, as `application/problem+json` (RFC 9457).

Rule: a problem tells the caller what was wrong or what to do next. A problem never contains
internal details or values that the caller sent.
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


class Problem(Exception):  # noqa: N818  the term in RFC 9457
    """An exception that a request handler raises to send an error response."""

    def __init__(
        self,
        *,
        status: int,
        title: str,
        detail: str = "",
        type: str = "about:blank",  # noqa: A002  the field name in RFC 9457
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
        """Return the HTTP response, with a request id that callers can quote in error reports."""
        document: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        if request_id:
            document["request_id"] = request_id
        return web.json_response(
            document | dict(self.extra or {}),
            status=self.status,
            content_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", **(self.headers or {})},
        )


def of_http(error: web.HTTPException) -> Problem:
    """Return the problem for an aiohttp error, such as an unknown path or an oversized body."""
    keep = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return Problem(status=error.status, title=HTTPStatus(error.status).phrase, headers=keep)


def of_cluster(error: ClusterError) -> Problem:
    """Return the problem for a `ClusterError`, without the error's message."""
    if isinstance(error, UnavailableError):
        return Problem(
            status=503,
            title="A dependency is unavailable",
            detail="Try again in a few seconds.",
            headers={"Retry-After": _RETRY_SECONDS},
        )
    if isinstance(error, GoneError):
        return Problem(status=404, title="Not found")
    if isinstance(error, RefusedError):
        return Problem(status=403, title="Forbidden")
    return Problem(status=500, title="Internal error")


async def body_of(request: web.Request, model: type[M]) -> M:
    """Parse the request's JSON body and return it as a model.

    Raises:
        Problem: with status 415 if the media type is not JSON, 400 if the JSON is invalid, or 422
            if a field is invalid.
    """
    if request.content_type != "application/json":
        raise Problem(
            status=415, title="The body must be JSON", detail="Set Content-Type: application/json."
        )
    try:
        # JSON is always UTF-8, so ignore the header's charset. Deep nesting counts as invalid.
        document = json.loads((await request.read()).decode())
    except (ValueError, RecursionError) as exc:
        raise Problem(status=400, title="The body is not valid JSON") from exc
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        wrong = [
            {"field": ".".join(map(str, fault["loc"])), "detail": fault["msg"]}
            for fault in exc.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = wrong[0]
        detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
        raise Problem(
            status=422, title="A field is invalid", detail=detail, extra={"errors": wrong}
        ) from exc
