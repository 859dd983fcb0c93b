"""`If-None-Match` in the forms that clients and caches send."""

import pytest

from services.public_api.responses import matches

TAG = '"abc"'


@pytest.mark.parametrize("header", [TAG, f"W/{TAG}", "*", f'"x", {TAG}', f'"x",W/{TAG}', " * "])
def test_a_named_tag_matches(header: str) -> None:
    assert matches(header, TAG)


@pytest.mark.parametrize("header", [None, "", "abc", '"abcd"', '"x", "y"', "W/*"])
def test_any_other_value_does_not_match(header: str | None) -> None:
    assert not matches(header, TAG)
