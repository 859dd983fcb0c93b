"""Errors as pages: what happened, and what its reader can do. Never what broke inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.web import application as runtime_web
from services.webservice.site import Handler, is_for_htmx, render

log = structlog.get_logger("webservice")

_HOME: Final = ("/", "Front page")


@dataclass(frozen=True, slots=True)
class Told:
    """A page's words; `ways` lead on, the best first, and "" is the same address again."""

    title: str
    advice: str
    ways: Sequence[tuple[str, str]] = (_HOME,)


_AGAIN: Final = ("", "Try again")
_TOLD: Final = {
    HTTPStatus.FORBIDDEN: Told(
        "This form is out of date",
        "It was opened before you signed in or out, or in another browser, or by another site."
        " Nothing was changed. Open the page anew and send it once more.",
        (("", "Open the page anew"), _HOME),
    ),
    HTTPStatus.NOT_FOUND: Told(
        "There is no such page",
        "The address may be mistyped, or the story is gone. The dashboard has all news.",
        (("/dashboard", "Dashboard"), _HOME),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: Told(
        "That cannot be done here", "Open the page from the site's own links.", (_HOME,)
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Told(
        "That was too much text", "Shorten what you typed and send it again.", (_AGAIN, _HOME)
    ),
    HTTPStatus.TOO_MANY_REQUESTS: Told(
        "Too many requests", "Wait a minute, then go on.", (_AGAIN, _HOME)
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: Told(
        "A part of the site is away",
        "It is being brought back. You stay signed in and nothing was lost: try again in a minute.",
        (_AGAIN, _HOME),
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: Told(
        "Something broke on our side",
        "It was written down. Look whether what you wanted was done, then try again; if it happens"
        " twice, tell us the number below.",
        (_AGAIN, _HOME),
    ),
}
_OTHER: Final = Told("That did not work", "Go back, check what you entered, and try again.")


@web.middleware
async def pages_of_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what went wrong with a page; redirects and good answers pass."""
    retry_after = None
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < HTTPStatus.BAD_REQUEST:
            raise
        status, allow = exc.status, exc.headers.get("Allow")
        answer = await page(request, status)
        if allow:
            answer.headers["Allow"] = allow
        return answer
    except UnavailableError as exc:
        log.warning("page away", route=_route(request), reason=str(exc))
        status, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, "10"
    except GoneError:
        status = HTTPStatus.NOT_FOUND
    except RefusedError as exc:
        log.warning("page refused", route=_route(request), reason=str(exc))
        status = HTTPStatus.BAD_GATEWAY
    except Exception:
        log.exception("page broke", route=_route(request))
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    answer = await page(request, status)
    if retry_after:
        answer.headers["Retry-After"] = retry_after
    return answer


async def page(request: web.Request, status: int) -> web.Response:
    """The page of an error; for htmx, which shows it among the notices, its words alone."""
    told = next((words for code, words in _TOLD.items() if code == status), _OTHER)
    again = request.path if request.method == "GET" else _form_of(request.path)
    template = "parts/problem.html" if is_for_htmx(request) else "error.html"
    return await render(
        request,
        template,
        status=status,
        code=int(status),
        title=told.title,
        advice=told.advice,
        ways=[(path or again, name) for path, name in told.ways],
        request_id=request_id(request) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    )


def request_id(request: web.Request) -> str:
    """What the logs call this request."""
    return runtime_web.request_id(request)


def _form_of(path: str) -> str:
    """The page that has the form which is sent to `path`: its first part has one, always."""
    first = path.split("/")[1] if "/" in path else ""
    return f"/{first}" if first in {"login", "sign-up", "tokens", "account", "dashboard"} else "/"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
