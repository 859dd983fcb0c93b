"""The API tokens page, where a user can create, list and revoke tokens.

Rule: show a token's text only once, in the response to the form that created the token. Never put
the text in cookies, URLs or logs.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from runtime.errors import GoneError, UnavailableError
from services.peers.auth import InvalidError, RateLimitedError
from services.webservice import flash
from services.webservice.pages.login import wait
from services.webservice.rendering import formatting
from services.webservice.site import ask, is_for_htmx, render, see, site_of, viewer_of
from services.webservice.visitor.forms import form_of

_LONGEST_NAME: Final = 60
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EXPIRIES: Final = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("", "never"))
_USUAL_EXPIRY: Final = "90"
_TOKENS_AWAY: Final = (
    "The list of your tokens is unavailable at the moment. Your tokens still work."
)
_MAKING_AWAY: Final = (
    "The sign-in service did not respond. If the new token is in your list, revoke it, because its"
    " text cannot be shown again. Then create another token."
)


@dataclass(frozen=True, slots=True)
class TokenForm:
    """The values entered in the form for creating a token."""

    name: str = ""
    expires: str = _USUAL_EXPIRY
    scopes: frozenset[str] = field(default=frozenset({"news:read", "sentiment:read"}))

    def errors(self) -> dict[str, str]:
        """Return a dictionary with an error message for each invalid field."""
        errors = {}
        if not self.name:
            errors["name"] = "Enter a name, so that you can recognise the token later."
        elif len(self.name) > _LONGEST_NAME or not self.name.isprintable():
            errors["name"] = f"The name can have at most {_LONGEST_NAME} characters, on one line."
        if not self.scopes:
            errors["scopes"] = (
                "Choose at least one scope, because a token without scopes is useless."
            )
        return errors


async def get(request: web.Request) -> web.Response:
    """Show the user's tokens, and the form for creating a token."""
    await viewer_of(request)
    return await _page(request)


async def post(request: web.Request) -> web.Response:
    """Create a token and show its text, which cannot be shown again."""
    viewer = await viewer_of(request)
    form = await form_of(request)
    scopes = frozenset(form.getall("scopes", []))
    expires = form.get("expires", "")
    token_form = TokenForm(
        name=" ".join(form.get("name", "").split()),
        expires=expires if expires in dict(_EXPIRIES) else _USUAL_EXPIRY,
        scopes=scopes & formatting.SCOPES.keys(),
    )
    if errors := token_form.errors():
        return await _page(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, token_form=token_form, errors=errors
        )
    try:
        new_token = await site_of(request).auth.make_token(
            viewer.access,
            name=token_form.name,
            scopes=sorted(token_form.scopes),
            expires_days=int(token_form.expires) if token_form.expires else None,
        )
    except InvalidError as exc:
        return await _page(
            request, HTTPStatus.UNPROCESSABLE_ENTITY, token_form=token_form, error=str(exc)
        )
    except RateLimitedError as exc:
        message = f"Too many requests. Wait {wait(exc.retry_after)}, then try again."
        return await _page(
            request, HTTPStatus.TOO_MANY_REQUESTS, token_form=token_form, error=message
        )
    except UnavailableError:
        return await _page(
            request, HTTPStatus.SERVICE_UNAVAILABLE, token_form=token_form, error=_MAKING_AWAY
        )
    return await _page(request, new_token=new_token)


async def post_revoke(request: web.Request) -> web.Response:
    """Revoke a token. It is not an error if the token no longer exists."""
    viewer = await viewer_of(request)
    flash_code = "token-gone"
    # A token whose id has another form cannot exist.
    if _ID.fullmatch(token_id := request.match_info["id"]):
        with suppress(GoneError):
            await site_of(request).auth.revoke(viewer.access, token_id)
            flash_code = "token-revoked"
    if not is_for_htmx(request):
        raise see(request, "/tokens", flash_code=flash_code)
    tokens = await _tokens(request)
    message = flash.message(flash_code)
    return await render(request, "parts/tokens.html", tokens=tokens, message=message)


async def _tokens(request: web.Request) -> Any:
    viewer = await viewer_of(request)
    listing = site_of(request).auth.tokens(viewer.access)
    return await ask(request, "tokens", listing, away=_TOKENS_AWAY)


async def _page(
    request: web.Request,
    status: int = HTTPStatus.OK,
    *,
    token_form: TokenForm | None = None,
    error: str = "",
    errors: Mapping[str, str] | None = None,
    new_token: Any = None,
) -> web.Response:
    return await render(
        request,
        "tokens.html",
        status=status,
        tokens=await _tokens(request),
        message=None,
        form=token_form or TokenForm(),
        error=error,
        errors={"name": "", "scopes": ""} | dict(errors or {}),
        new_token=new_token,
        expiries=_EXPIRIES,
        scopes=formatting.SCOPES,
    )
