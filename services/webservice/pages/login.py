"""Handles signing in and signing out.

Rules: never put e-mail addresses in URLs or logs. Give the same response for a wrong password
and for an unknown e-mail address.
"""

from http import HTTPStatus
from math import ceil
from typing import Final

import structlog
from aiohttp import web

from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import RateLimitedError
from services.webservice.site import render, see, site_of
from services.webservice.visitor.forms import form_of
from services.webservice.visitor.redirects import local_path

log = structlog.get_logger("webservice")

LEAST_PASSWORD: Final = 10
"""The minimum length of a password, as in auth. The browser checks it before sending a form."""
AWAY: Final = "The sign-in service is unavailable at the moment. Try again in a minute."
"""Use this message only for forms that are safe to submit twice: although the service did not
respond, it may have processed the request."""
_HOME: Final = "/dashboard"


async def get_login(request: web.Request) -> web.Response:
    """Show the sign-in form, or redirect a visitor who is already signed in."""
    next_path = local_path(request.query.get("next"), otherwise="")
    visit = await site_of(request).sessions.visit(request)
    if visit.viewer is not None:
        raise see(request, next_path or _HOME)
    return await _login(request, next_path=next_path)


async def post_login(request: web.Request) -> web.Response:
    """Sign the visitor in, and redirect to the page that the visitor requested."""
    site = site_of(request)
    form = await form_of(request)
    email, password = form.get("email", "").strip(), form.get("password", "")
    next_path = local_path(form.get("next", ""), otherwise="")
    try:
        login = await site.auth.login(email, password, client=client_of(request))
    except RateLimitedError as exc:
        message = f"Too many attempts. Wait {wait(exc.retry_after)}, then try again."
        return await _login(
            request, HTTPStatus.TOO_MANY_REQUESTS, email, message, next_path=next_path
        )
    except RefusedError:
        message = "The e-mail address or password is wrong. Check both and try again."
        return await _login(request, HTTPStatus.UNAUTHORIZED, email, message, next_path=next_path)
    except UnavailableError:
        return await _login(
            request, HTTPStatus.SERVICE_UNAVAILABLE, email, AWAY, next_path=next_path
        )
    site.sessions.sign_in(request, login)
    raise see(request, next_path or _HOME)


async def post_logout(request: web.Request) -> web.Response:
    """Sign the visitor out. Delete the login cookies even if the sign-in service is unavailable."""
    site = site_of(request)
    refresh = site.jar.value(request, site.jar.refresh)
    flash_code = "signed-out"
    if refresh:
        try:
            await site.auth.logout(refresh)
        except UnavailableError:
            flash_code = "signed-out-here"
        except RefusedError:
            log.info("the login had expired before the visitor signed out")
    site.sessions.sign_out(request)
    raise see(request, "/", flash_code=flash_code)


def client_of(request: web.Request) -> str:
    """Return the IP addresses of the client and all proxies, separated by commas.

    The sign-in service decides which of these addresses to trust.
    """
    path = [*request.headers.getall("X-Forwarded-For", []), request.remote or ""]
    # An address is ASCII; other text could not be sent on in a header.
    return ", ".join(hop for hop in path if hop and hop.isascii())


def wait(seconds: float) -> str:
    """Return a duration in words, such as "20 seconds" or "3 minutes"."""
    if seconds <= 90:
        whole = max(1, ceil(seconds))
        return f"{whole} second" if whole == 1 else f"{whole} seconds"
    return f"{ceil(seconds / 60)} minutes"


async def _login(
    request: web.Request,
    status: int = HTTPStatus.OK,
    email: str = "",
    error: str = "",
    *,
    next_path: str = "",
) -> web.Response:
    return await render(
        request, "login.html", status=status, email=email, error=error, next=next_path
    )
