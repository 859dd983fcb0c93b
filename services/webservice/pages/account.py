"""The account page, where users can change their password and sign out everywhere."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import InvalidError, RateLimitedError
from services.webservice.pages.login import AWAY, LEAST_PASSWORD, wait
from services.webservice.site import ask, render, see, site_of, viewer_of
from services.webservice.visitor.forms import form_of

_CHANGE_AWAY: Final = (
    "The sign-in service did not respond, so your password may or may not have been changed. If the"
    " old password no longer works, use the new password."
)


async def get(request: web.Request) -> web.Response:
    """Show the account page."""
    return await _page(request)


async def post_password(request: web.Request) -> web.Response:
    """Change the password and end the account's other sessions."""
    viewer = await viewer_of(request)
    site = site_of(request)
    form = await form_of(request)
    old, new = form.get("old", ""), form.get("new", "")
    try:
        await site.auth.change_password(viewer.access, old=old, new=new)
    except InvalidError as exc:
        return await _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, new=str(exc))
    except RateLimitedError as exc:
        message = f"Too many attempts. Wait {wait(exc.retry_after)}, then try again."
        return await _page(request, HTTPStatus.TOO_MANY_REQUESTS, error=message)
    except RefusedError:
        message = "That is not your current password."
        return await _page(request, HTTPStatus.FORBIDDEN, old=message)
    except UnavailableError:
        return await _page(request, HTTPStatus.SERVICE_UNAVAILABLE, error=_CHANGE_AWAY)
    raise see(request, "/account", flash_code="password-changed")


async def post_logout_all(request: web.Request) -> web.Response:
    """Sign the user out in all browsers."""
    viewer = await viewer_of(request)
    site = site_of(request)
    try:
        await site.auth.logout_all(viewer.access)
    except UnavailableError:
        return await _page(request, HTTPStatus.SERVICE_UNAVAILABLE, error=AWAY)
    site.sessions.sign_out(request)
    raise see(request, "/login", flash_code="signed-out-everywhere")


async def _page(
    request: web.Request,
    status: int = HTTPStatus.OK,
    *,
    error: str = "",
    old: str = "",
    new: str = "",
) -> web.Response:
    viewer = await viewer_of(request)
    account = site_of(request).auth.me(viewer.access)
    me = await ask(
        request, "me", account, away="Your account details are unavailable at the moment."
    )
    return await render(
        request,
        "account.html",
        status=status,
        me=me,
        error=error,
        errors={"old": old, "new": new},
        least_password=LEAST_PASSWORD,
    )
