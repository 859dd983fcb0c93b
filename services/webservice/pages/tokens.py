"""API tokens: make one (shown once), see them, revoke one.

Rule: the token's text is in the answer to the form that made it and nowhere else: no cookie, no
address, no log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from runtime.errors import GoneError, UnavailableError
from services.peers.auth import InvalidError, RateLimitedError
from services.webservice import flash
from services.webservice.pages.entry import wait
from services.webservice.rendering import wording
from services.webservice.site import ask, is_for_htmx, render, see, site_of, viewer_of

_LONGEST_NAME: Final = 60
_EXPIRIES: Final = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("", "never"))
_USUAL_EXPIRY: Final = "90"
_TOKENS_AWAY: Final = (
    "Your tokens cannot be shown: the sign-in service does not answer. They go on working."
)
_MAKING_AWAY: Final = (
    "The sign-in service did not answer. The token may be made all the same, and can never be"
    " shown: if it is in your list, revoke it. Then make another."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The form as it was filled in."""

    name: str = ""
    expires: str = _USUAL_EXPIRY
    scopes: frozenset[str] = field(default=frozenset({"news:read", "sentiment:read"}))

    def wrong(self) -> dict[str, str]:
        """What is wrong with it, by field."""
        found = {}
        if not self.name:
            found["name"] = "Give it a name, so that you know which one to revoke."
        elif len(self.name) > _LONGEST_NAME or not self.name.isprintable():
            found["name"] = f"At most {_LONGEST_NAME} characters, on one line."
        if not self.scopes:
            found["scopes"] = "Choose at least one: a token that may do nothing is of no use."
        return found


async def get(request: web.Request) -> web.Response:
    """The list and the form."""
    await viewer_of(request)
    return await _page(request)


async def post(request: web.Request) -> web.Response:
    """Make a token and show it, this once."""
    viewer = await viewer_of(request)
    form = await request.post()
    scopes = frozenset(str(one) for one in form.getall("scopes", []))
    expires = str(form.get("expires", ""))
    wanted = Wanted(
        name=" ".join(str(form.get("name", "")).split()),
        expires=expires if expires in dict(_EXPIRIES) else _USUAL_EXPIRY,
        scopes=scopes & wording.SCOPES.keys(),
    )
    if errors := wanted.wrong():
        return await _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, wanted=wanted, errors=errors)
    try:
        made = await site_of(request).auth.make_token(
            viewer.access,
            name=wanted.name,
            scopes=sorted(wanted.scopes),
            expires_days=int(wanted.expires) if wanted.expires else None,
        )
    except InvalidError as exc:
        return await _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, wanted=wanted, error=str(exc))
    except RateLimitedError as exc:
        told = f"That were many. Wait {wait(exc.retry_after)}, then try again."
        return await _page(request, HTTPStatus.TOO_MANY_REQUESTS, wanted=wanted, error=told)
    except UnavailableError:
        return await _page(
            request, HTTPStatus.SERVICE_UNAVAILABLE, wanted=wanted, error=_MAKING_AWAY
        )
    return await _page(request, made=made)


async def post_revoke(request: web.Request) -> web.Response:
    """Revoke one; a token that is gone already is what was wanted."""
    viewer = await viewer_of(request)
    flashed = "token-revoked"
    try:
        await site_of(request).auth.revoke(viewer.access, request.match_info["id"])
    except GoneError:
        flashed = "token-gone"
    if not is_for_htmx(request):
        raise see(request, "/tokens", flashed=flashed)
    tokens = await _tokens(request)
    told = flash.message(flashed)
    return await render(request, "parts/tokens.html", tokens=tokens, told=told)


async def _tokens(request: web.Request) -> Any:
    viewer = await viewer_of(request)
    asked = site_of(request).auth.tokens(viewer.access)
    return await ask(request, "tokens", asked, away=_TOKENS_AWAY)


async def _page(
    request: web.Request,
    status: int = HTTPStatus.OK,
    *,
    wanted: Wanted | None = None,
    error: str = "",
    errors: Mapping[str, str] | None = None,
    made: Any = None,
) -> web.Response:
    return await render(
        request,
        "tokens.html",
        status=status,
        tokens=await _tokens(request),
        told=None,
        form=wanted or Wanted(),
        error=error,
        errors={"name": "", "scopes": ""} | dict(errors or {}),
        made=made,
        expiries=_EXPIRIES,
        scopes=wording.SCOPES,
    )
