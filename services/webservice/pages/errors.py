"""Error pages, which tell visitors what happened and what to do, without internal details."""

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
class ErrorPage:
    """An error page's title, advice and links.

    Each link is an address and a label. The most useful link comes first. An address of "" means
    the page that the visitor requested.
    """

    title: str
    advice: str
    links: Sequence[tuple[str, str]] = (_HOME,)


_AGAIN: Final = ("", "Try again")
_PAGES: Final = {
    HTTPStatus.FORBIDDEN: ErrorPage(
        "This form is out of date",
        "The form was opened before you signed in or out, in another browser, or by another site."
        " Nothing was changed. Reload the page and submit the form again.",
        (("", "Reload the page"), _HOME),
    ),
    HTTPStatus.NOT_FOUND: ErrorPage(
        "Page not found",
        "The address may be wrong, or the story may have been removed. The dashboard lists all"
        " stories.",
        (("/dashboard", "Dashboard"), _HOME),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorPage(
        "This request is not supported", "Use the links on the site to open pages.", (_HOME,)
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorPage(
        "Your text is too long", "Shorten the text and submit it again.", (_AGAIN, _HOME)
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ErrorPage(
        "Too many requests", "Wait a minute, then try again.", (_AGAIN, _HOME)
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ErrorPage(
        "Part of the site is unavailable",
        "You are still signed in and nothing was lost. Try again in a minute.",
        (_AGAIN, _HOME),
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: ErrorPage(
        "Something went wrong on our side",
        "The error has been logged. Check whether your change was made, then try again. If this"
        " happens again, send us the number below.",
        (_AGAIN, _HOME),
    ),
}
_OTHER: Final = ErrorPage("Your request failed", "Go back, check what you entered, and try again.")


@web.middleware
async def pages_of_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors into error pages, and return redirects and other responses unchanged."""
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
        log.warning(
            "could not show a page because a service is unavailable",
            route=_route(request),
            reason=str(exc),
        )
        status, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, "10"
    except GoneError:
        status = HTTPStatus.NOT_FOUND
    except web.RequestPayloadError:
        status = HTTPStatus.BAD_REQUEST
    except RefusedError as exc:
        log.warning(
            "could not show a page because a service rejected a request",
            route=_route(request),
            reason=str(exc),
        )
        status = HTTPStatus.BAD_GATEWAY
    except Exception:
        log.exception("could not show a page because of an unexpected error", route=_route(request))
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    answer = await page(request, status)
    if retry_after:
        answer.headers["Retry-After"] = retry_after
    return answer


async def page(request: web.Request, status: int) -> web.Response:
    """Return the error page for a status, or only a short notice if htmx sent the request."""
    error_page = next((shown for code, shown in _PAGES.items() if code == status), _OTHER)
    same_address = request.path if request.method == "GET" else _form_of(request.path)
    template = "parts/problem.html" if is_for_htmx(request) else "error.html"
    return await render(
        request,
        template,
        status=status,
        code=int(status),
        title=error_page.title,
        advice=error_page.advice,
        links=[(path or same_address, name) for path, name in error_page.links],
        request_id=request_id(request) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    )


def request_id(request: web.Request) -> str:
    """Return the request's id, which also appears in the logs."""
    return runtime_web.request_id(request)


def _form_of(path: str) -> str:
    """Return the path of the page that contains the form submitted to `path`."""
    first = path.split("/")[1] if "/" in path else ""
    return f"/{first}" if first in {"login", "sign-up", "tokens", "account", "dashboard"} else "/"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
