"""The sign-up page, which creates an account and signs the user in."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import InvalidError, RateLimitedError, TakenError
from services.webservice.pages.login import LEAST_PASSWORD, client_of, wait
from services.webservice.site import render, see, site_of
from services.webservice.visitor.forms import form_of

_AWAY: Final = (
    "The sign-in service did not respond, so your account may or may not have been created. Try to"
    " sign in first. If you cannot sign in, sign up again."
)


async def get(request: web.Request) -> web.Response:
    """Show the sign-up form, or redirect a visitor who is already signed in."""
    visit = await site_of(request).sessions.visit(request)
    if visit.viewer is not None:
        raise see(request, "/dashboard")
    return await _form(request)


async def post(request: web.Request) -> web.Response:
    """Create the account and sign the user in. If this fails, show the errors in the form."""
    site = site_of(request)
    form = await form_of(request)
    email, password = form.get("email", "").strip(), form.get("password", "")
    try:
        await site.auth.sign_up(email, password, client=client_of(request))
        login = await site.auth.login(email, password, client=client_of(request))
    except TakenError:
        errors = {"email": "This address already has an account. Sign in, or use another address."}
        return await _form(request, HTTPStatus.CONFLICT, email, errors=errors)
    except InvalidError as exc:
        return await _form(request, HTTPStatus.UNPROCESSABLE_ENTITY, email, error=str(exc))
    except RateLimitedError as exc:
        message = f"Too many attempts. Wait {wait(exc.retry_after)}, then try again."
        return await _form(request, HTTPStatus.TOO_MANY_REQUESTS, email, error=message)
    except UnavailableError:
        return await _form(request, HTTPStatus.SERVICE_UNAVAILABLE, email, error=_AWAY)
    except RefusedError:
        message = "Your account is ready. Please sign in."
        return await render(
            request, "login.html", email=email, error=message, next="", status=HTTPStatus.OK
        )
    site.sessions.sign_in(request, login)
    raise see(request, "/dashboard", flash_code="welcome")


async def _form(
    request: web.Request,
    status: int = HTTPStatus.OK,
    email: str = "",
    *,
    error: str = "",
    errors: dict[str, str] | None = None,
) -> web.Response:
    field_errors = {"email": "", "password": ""} | (errors or {})
    return await render(
        request,
        "sign_up.html",
        status=status,
        email=email,
        error="" if any(field_errors.values()) else error,
        errors=field_errors,
        least_password=LEAST_PASSWORD,
    )
