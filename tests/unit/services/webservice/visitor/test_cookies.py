from datetime import UTC, datetime, timedelta
from http.cookies import Morsel

import pytest
from aiohttp import web

from runtime.web import security_headers
from services.webservice.visitor.cookies import Jar

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def put(jar: Jar, seconds: float | None = 60) -> Morsel[str]:
    response = web.Response()
    jar.put(response, jar.access, "x", seconds=seconds)
    return response.cookies[jar.access]


def test_over_https_cookies_are_bound_to_the_host_and_to_https():
    cookie = put(Jar(https=True))

    assert cookie.key == "__Host-access"
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]


@pytest.mark.parametrize("https", [True, False])
def test_no_script_and_no_other_sites_form_can_use_a_cookie(https: bool):
    cookie = put(Jar(https=https))

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_over_http_cookies_are_not_secure_or_browsers_would_drop_them():
    cookie = put(Jar(https=False))

    assert not cookie["secure"]
    assert not cookie.key.startswith("__Host-")


def test_the_browser_forgets_the_login_token_before_it_expires():
    jar = Jar(https=True)
    for seconds in (8, 900):
        response = web.Response()
        jar.put_access(response, "x", until=NOW + timedelta(seconds=seconds), at=NOW)
        assert 0 < int(response.cookies[jar.access]["max-age"]) < seconds


def test_an_expired_login_token_is_not_stored():
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


def test_strict_transport_security_is_sent_only_over_https():
    assert "Strict-Transport-Security" in security_headers.of_site(https=True)
    assert "Strict-Transport-Security" not in security_headers.of_site(https=False)


def test_the_policy_forbids_inline_code_and_other_hosts():
    policy = security_headers.of_site(https=True)["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
