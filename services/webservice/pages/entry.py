"""Coming in and going out: sign-up, sign-in, sign-out.

Rule: an e-mail address goes into a form's body and back into its field, never into an address or
a log; and the answer to a wrong password is the one to an unknown address.
"""

from http import HTTPStatus
from math import ceil
from typing import Final

import structlog
from aiohttp import web

from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import RateLimitedError
from services.webservice.site import render, see, site_of
from services.webservice.visitor.redirects import local_path

log = structlog.get_logger("webservice")

LEAST_PASSWORD: Final = 10
"""As auth has it; the browser says so before the form is sent."""
AWAY: Final = "The sign-in service does not answer at present: try again soon."
"""Only for what may be sent twice: an answer that is missing does not say what was done."""
_HOME: Final = "/dashboard"


async def get_login(request: web.Request) -> web.Response:
    """The form; somebody who is signed in goes on."""
    wanted = local_path(request.query.get("next"), otherwise="")
    visit = await site_of(request).sessions.visit(request)
    if visit.viewer is not None:
        raise see(request, wanted or _HOME)
    return await _login(request, next_path=wanted)


async def post_login(request: web.Request) -> web.Response:
    """Sign in and go where the visitor was going."""
    site = site_of(request)
    form = await request.post()
    email, password = str(form.get("email", "")).strip(), str(form.get("password", ""))
    wanted = local_path(str(form.get("next", "")), otherwise="")
    try:
        login = await site.auth.login(email, password, client=client_of(request))
    except RateLimitedError as exc:
        told = f"Too many tries. Wait {wait(exc.retry_after)}, then try again."
        return await _login(request, HTTPStatus.TOO_MANY_REQUESTS, email, told, next_path=wanted)
    except RefusedError:
        told = "E-mail or password is wrong. Check both and try again."
        return await _login(request, HTTPStatus.UNAUTHORIZED, email, told, next_path=wanted)
    except UnavailableError:
        return await _login(request, HTTPStatus.SERVICE_UNAVAILABLE, email, AWAY, next_path=wanted)
    site.sessions.sign_in(request, login)
    raise see(request, wanted or _HOME)


async def post_logout(request: web.Request) -> web.Response:
    """Sign out here; when auth is away the browser forgets the login all the same."""
    site = site_of(request)
    refresh = request.cookies.get(site.jar.refresh)
    flashed = "signed-out"
    if refresh:
        try:
            await site.auth.logout(refresh)
        except UnavailableError:
            flashed = "signed-out-here"
        except RefusedError:
            log.info("signed out of an ended login")
    site.sessions.sign_out(request)
    raise see(request, "/", flashed=flashed)


def client_of(request: web.Request) -> str:
    """The way a request came, for auth, which knows whom on it to believe."""
    way = [*request.headers.getall("X-Forwarded-For", []), request.remote or ""]
    return ", ".join(filter(None, way))


def wait(seconds: float) -> str:
    """How long, in words: "20 seconds", "3 minutes"."""
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
