"""Checks the origin and the CSRF token of each submitted form before processing it."""

from typing import Final

import structlog
from aiohttp import web

from runtime.errors import UnavailableError
from services.webservice.site import Handler, site_of
from services.webservice.visitor import csrf
from services.webservice.visitor.forms import form_of

log = structlog.get_logger("webservice")

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@web.middleware
async def only_own_forms(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Allow read-only requests and forms from our own pages; reject all other requests with 403."""
    if request.method in _SAFE:
        return await handler(request)
    if csrf.is_from_elsewhere(request.method, request.headers, host=request.host):
        log.warning("rejected a form", reason="the form came from another site")
        raise web.HTTPForbidden
    site = site_of(request)
    visit = await site.sessions.visit(request)
    if visit.is_away:
        raise UnavailableError("checking a form: the sign-in service does not respond")
    token = request.headers.get(csrf.HEADER)
    if token is None:
        form = await form_of(request)
        token = form.get(csrf.FIELD, "")
    if not site.is_good_token(token, visit):
        log.warning("rejected a form", reason="the CSRF token is not valid for this visitor")
        raise web.HTTPForbidden
    return await handler(request)
