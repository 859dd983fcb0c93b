"""Reads the forms that visitors submit.

Rule: only this module reads a request's body. Browsers send our forms as URL-encoded UTF-8, so any
other media type counts as an empty form, whatever character set its header names. A body that
cannot be read is the visitor's error (400), never ours.
"""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 100
_FORM: Final = web.RequestKey("site.form", MultiDictProxy)


async def form_of(request: web.Request) -> MultiDictProxy[str]:
    """Return the fields of a submitted form. The values contain no lone surrogates.

    Raises:
        HTTPBadRequest: if the body is not URL-encoded UTF-8, or has too many fields.
    """
    form: MultiDictProxy[str] | None = request.get(_FORM)
    if form is None:
        form = request[_FORM] = MultiDictProxy(MultiDict(await _fields(request)))
    return form


async def _fields(request: web.Request) -> list[tuple[str, str]]:
    if request.content_type != _MEDIA_TYPE:
        return []
    try:
        # Escaped bytes that are not UTF-8 become replacement characters.
        return parse_qsl(
            (await request.read()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError as exc:
        raise web.HTTPBadRequest from exc
