"""Whatever a visitor sends, no request makes the site, the API or the sign-in service fail."""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import pytest
import structlog
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st
from memory_connections import status_of
from randomness import at_most
from site_behind import ACCESS, ACCOUNT, serving

from services.auth import app as auth
from services.auth import settings as auth_settings
from services.public_api import app as public_api
from services.public_api import settings as api_settings
from services.webservice import app as webservice
from services.webservice import settings as site_settings
from services.webservice.visitor import csrf

Ask = Callable[[bytes], int]
KEY: Final = "k" * 40
NONCE: Final = csrf.new_nonce()
FORM: Final = b"application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    # aiohttp logs each request that it cannot parse, with a traceback.
    aiohttp_log = logging.getLogger("aiohttp.server")
    aiohttp_log.disabled = True
    with structlog.testing.capture_logs(), asyncio.Runner() as runner:
        yield runner
    aiohttp_log.disabled = False


@pytest.fixture(scope="module")
def site(loop: asyncio.Runner) -> Iterator[Ask]:
    settings = site_settings.Settings(csrf_key=KEY, https=False)
    yield from _asking(loop, serving(partial(webservice.opened, settings)))


@pytest.fixture(scope="module")
def api(loop: asyncio.Runner) -> Iterator[Ask]:
    settings = api_settings.Settings(rate_limit=10**9)
    yield from _asking(loop, serving(partial(public_api.opened, settings), kind="api"))


@pytest.fixture(scope="module")
def sign_in(loop: asyncio.Runner) -> Iterator[Ask]:
    settings = auth_settings.Settings(redis_url="unix:///nowhere/redis.sock")
    yield from _asking(loop, serving(partial(auth.opened, settings)))


def _asking(loop: asyncio.Runner, opening: "asynccontextmanager[web.Server]") -> Iterator[Ask]:
    server = loop.run(opening.__aenter__())
    yield lambda request: loop.run(status_of(server, request))
    loop.run(opening.__aexit__(None, None, None))


def nested(text: str) -> bytes:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=")


YEAR_10000: Final = nested('["9999-12-31T23:59:59-23:59","news-' + "0" * 32 + '",1]')
YEAR_0: Final = nested('["0001-01-01T00:00:00+23:59","news-' + "0" * 32 + '",1]')
NASTY: Final = (
    *(
        b"http://[bad",
        b"http://[::1",
        b"//",
        b"null",
        b"\xff",
        b"%ff%00",
        b"%ed%a0%80",
        b"\xc2\xb2",
    ),
    *(b'"\\303\\015\\012"', b"9" * 5000, b"-1", b"1e999", b"NaN", b"[" * 3000, b'{"a":' * 900),
    *(nested("[" * 3000), nested('"abc"'), nested("[1e999,1,1]"), YEAR_10000, YEAR_0),
    *(b"9999-12-31T23:59:59-23:59", b"0000-00-00T00:00:00Z", b"2026-02-30T24:00:00+99:99"),
    *(b"application/json; charset=rot13", b"multipart/form-data", FORM + b"; charset=utf-7"),
    *(b"W/", b'"a', b"bytes=9-1", b"gzip", b"100-continue", b"a" * 4000, b"Bearer " + b"x" * 43),
)
VALUES: Final = st.one_of(
    st.sampled_from(NASTY), st.binary(max_size=30), st.text(max_size=30).map(str.encode)
)
HEADERS: Final = (
    *("Origin", "Sec-Fetch-Site", "Referer", "X-CSRF-Token", "X-Request-Id", "X-Forwarded-For"),
    *("If-None-Match", "If-Modified-Since", "Range", "Accept", "Accept-Encoding", "Authorization"),
    *("HX-Request", "HX-Current-URL", "Forwarded", "Content-Type", "Content-Encoding", "Cookie"),
)
COOKIES: Final = ("site-access", "site-refresh", "site-nonce", "site-flash", "site-watch", "other")
FIELDS: Final = (
    *("next", "symbol", "topic", "label", "days", "cursor", "span", "token", "since", "until"),
    *("limit", "source", "scope", "v", "email", "password", "csrf", "name", "scopes", "symbols"),
)


def escaped(value: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in value)


def line(value: bytes) -> bytes:
    """Return the value without what would end a header's line: aiohttp refuses the rest itself."""
    return value.translate(None, b"\r\n\0")


queries = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=3).map(
    lambda pairs: b"&".join(name.encode() + b"=" + escaped(value) for name, value in pairs)
)
headers = st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), max_size=3)
cookies = st.lists(st.tuples(st.sampled_from(COOKIES), VALUES), max_size=2)
bodies = st.one_of(queries, VALUES)


def request(
    method: str,
    path: bytes,
    query: bytes,
    headers: list[tuple[str, bytes]],
    cookies: list[tuple[str, bytes]] = (),
    body: bytes = b"",
) -> bytes:
    lines = [f"{method} ".encode() + path + b"?" + query + b" HTTP/1.1", b"Host: site.example"]
    lines += [name.encode() + b": " + line(value) for name, value in headers]
    lines += [b"Cookie: " + name.encode() + b"=" + line(value) for name, value in cookies]
    lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", body]
    return b"\r\n".join(lines)


def signed_in() -> list[tuple[str, bytes]]:
    return [("site-access", ACCESS.encode()), ("site-nonce", NONCE.encode())]


PAGES: Final = (
    *(b"/", b"/login", b"/sign-up", b"/dashboard", b"/dashboard/quotes", b"/tokens", b"/usage"),
    *(b"/account", b"/news/news-" + b"0" * 32, b"/static/site.css", b"/nowhere"),
)
FORMS: Final = (
    *(b"/login", b"/logout", b"/sign-up", b"/dashboard/watch", b"/tokens"),
    *(b"/account/password", b"/account/logout-all"),
)


@given(st.sampled_from(PAGES), queries, headers, cookies, st.booleans())
@example(b"/dashboard", b"", [], [("site-access", b"\xff")], False)
@example(b"/dashboard", b"", [], [("site-refresh", b"\xff")], False)
@example(b"/dashboard", b"cursor=" + nested("[" * 300), [], [], True)
@example(b"/dashboard", b"cursor=" + YEAR_10000, [], [], True)
@example(b"/login", b"next=/%5b", [], [], True)
# The account here has no date of its creation.
@example(b"/account", b"", [], [], True)
@at_most(60)
def test_no_request_for_a_page_fails(site, path, query, headers, cookies, is_signed_in):
    known = signed_in() if is_signed_in else []

    assert site(request("GET", path, query, headers, [*known, *cookies])) < 500


@given(st.sampled_from(FORMS), headers, cookies, bodies, st.sampled_from([FORM, b"x/y"]))
@example(b"/login", [("Origin", b"http://[bad")], [], b"", FORM)
@example(b"/login", [], [], b"email=\xff", FORM)
@example(b"/login", [], [], b"a=b", FORM + b"; charset=rot13")
@example(b"/login", [], [], b"email=%ff%ed%a0%80", FORM)
@example(b"/login", [], [], b"email=\\ud800", FORM + b"; charset=unicode_escape")
@example(b"/login", [], [], b"a=b", b"multipart/form-data")
@example(b"/login", [], [], b"a=b", b"multipart/form-data; boundary=x")
@example(b"/login", [("Content-Encoding", b"gzip")], [], b"a=b", FORM)
@example(b"/login", [], [], b"&".join([b"a=b"] * 5000), FORM)
@at_most(60)
def test_no_form_fails(site, path, headers, cookies, body, media_type):
    token = csrf.make(KEY.encode(), nonce=NONCE, account=ACCOUNT).encode()
    known = [("Content-Type", media_type), ("X-CSRF-Token", token)]

    sent = request("POST", path, b"", [*known, *headers], [*signed_in(), *cookies], body)

    assert site(sent) < 500


@pytest.mark.parametrize("origin", [b"http://[bad", b"http://[::1", b"\xff", b"https://[v1.x]:x/"])
def test_a_form_whose_origin_cannot_be_parsed_is_from_elsewhere(site, origin):
    assert site(request("POST", b"/login", b"", [("Origin", origin)])) == 403


def test_a_form_that_is_not_utf_8_is_the_visitors_mistake(site):
    body = [("Content-Type", FORM)]

    assert site(request("POST", b"/login", b"", body, [], b"email=\xff")) == 400


CALLS: Final = (
    *(b"/v1/news", b"/v1/sentiment", b"/v1/usage", b"/v1/quotes/AAPL", b"/v1/openapi.json"),
    *(b"/v1/news/news-" + b"0" * 32, b"/v1/quotes/%ff%00", b"/docs", b"/openapi.json"),
)


@given(st.sampled_from(CALLS), queries, headers, st.booleans())
@example(b"/v1/news", b"cursor=" + nested("[" * 3000), [], True)
@example(b"/v1/news", b"cursor=" + YEAR_10000, [], True)
@example(b"/v1/news", b"cursor=" + YEAR_0, [], True)
@at_most(60)
def test_no_call_of_the_api_fails(api, path, query, headers, is_known):
    known = [("Authorization", b"Bearer " + ACCESS.encode())] if is_known else []

    assert api(request("GET", path, query, [*known, *headers])) < 500


ROUTES: Final = (
    *(b"/accounts", b"/login", b"/refresh", b"/logout", b"/logout-all", b"/password"),
    *(b"/api-tokens", b"/verify", b"/me", b"/api-tokens/%ff"),
)
documents = st.one_of(
    VALUES,
    st.dictionaries(
        st.sampled_from(["email", "password", "refresh", "name", "scopes", "\\ud800"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=20), st.just("\\ud800@x.org")),
        max_size=3,
    ).map(
        lambda fields: (
            "{" + ",".join(f'"{k}":"{v}"' for k, v in fields.items() if '"' not in str(v)) + "}"
        ).encode("utf-8", "replace")
    ),
)


@given(st.sampled_from(["GET", "POST", "DELETE"]), st.sampled_from(ROUTES), headers, documents)
@example("POST", b"/login", [], b'{"email":"\\ud800@x.org","password":"aaaaaaaaaaaa"}')
@example("POST", b"/accounts", [], b'{"email":"a@x.org","password":"\\ud800aaaaaaaaaaa"}')
@example("POST", b"/login", [], b'{"\\ud800":"a"}')
@example("POST", b"/login", [], b"[" * 100_000)
@example("POST", b"/refresh", [("Content-Encoding", b"gzip")], b"{}")
@at_most(60)
def test_no_request_makes_the_sign_in_service_fail(sign_in, method, path, headers, body):
    """Its store is away here, so a request that gets that far gets 503."""
    known = [("Content-Type", b"application/json")]

    status = sign_in(request(method, path, b"", [*known, *headers], [], body))

    assert status < 500 or status == 503
