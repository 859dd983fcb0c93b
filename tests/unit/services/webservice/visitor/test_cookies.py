from datetime import UTC, datetime, timedelta
from http.cookies import Morsel

import pytest
from aiohttp import web

from services.webservice import headers
from services.webservice.visitor.cookies import Jar

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def put(jar: Jar, seconds: float | None = 60) -> Morsel[str]:
    response = web.Response()
    jar.put(response, jar.access, "x", seconds=seconds)
    return response.cookies[jar.access]


def test_over_https_cookies_are_bound_to_the_host_and_sent_over_https_alone():
    cookie = put(Jar(https=True))

    assert cookie.key == "__Host-access"
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]


@pytest.mark.parametrize("https", [True, False])
def test_no_script_reads_a_cookie_and_no_other_sites_form_carries_one(https: bool):
    cookie = put(Jar(https=https))

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_over_http_a_browser_would_drop_secure_cookies_so_they_are_not():
    cookie = put(Jar(https=False))

    assert not cookie["secure"]
    assert not cookie.key.startswith("__Host-")


def test_the_browser_forgets_the_login_token_before_it_ends():
    jar = Jar(https=True)
    for lasts in (8, 900):
        response = web.Response()
        jar.put_access(response, "x", until=NOW + timedelta(seconds=lasts), at=NOW)
        assert 0 < int(response.cookies[jar.access]["max-age"]) < lasts


def test_a_login_token_that_has_ended_is_not_kept():
    jar = Jar(https=True)
    response = web.Response()
    jar.put_access(response, "x", until=NOW - timedelta(seconds=9), at=NOW)

    assert response.cookies[jar.access]["max-age"] == "0"


def test_cookies_are_dropped_with_the_flags_they_were_set_with():
    jar = Jar(https=True)
    response = web.Response()
    jar.drop(response, jar.access, jar.refresh)

    for name in (jar.access, jar.refresh):
        assert response.cookies[name]["max-age"] == "0"
        assert response.cookies[name]["secure"]


def test_browsers_are_told_to_stay_with_https_only_where_there_is_https():
    assert "Strict-Transport-Security" in headers.of(https=True)
    assert "Strict-Transport-Security" not in headers.of(https=False)


def test_nothing_inline_and_no_other_host_may_run():
    policy = headers.of(https=True)["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
