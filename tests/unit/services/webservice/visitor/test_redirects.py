from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webservice.visitor.redirects import local_path


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/dashboard?symbol=BRK.B&label=negative", "/news/a#b"]
)
def test_a_path_of_this_site_is_kept(path: str):
    assert local_path(path, otherwise="/x") == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "dashboard",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "http:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/ok\r\nSet-Cookie: a=b",
        "//[",
        "/" + "a" * 600,
    ],
)
def test_anything_else_leads_to_the_default(path: str | None):
    assert local_path(path, otherwise="/dashboard") == "/dashboard"


@given(st.text(alphabet="/\\:.@?#\t\n aehtpsvil", max_size=30))
def test_no_text_leads_to_another_host(path: str):
    ours = "https://site.example/login"
    target = urljoin(ours, local_path(path, otherwise="/dashboard").replace("\\", "/"))

    assert urlsplit(target).netloc == "site.example"
