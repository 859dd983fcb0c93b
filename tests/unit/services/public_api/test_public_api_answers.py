"""`If-None-Match` as clients and caches write it."""

import pytest

from services.public_api.answers import is_same

TAG = '"abc"'


@pytest.mark.parametrize("asked", [TAG, f"W/{TAG}", "*", f'"x", {TAG}', f'"x",W/{TAG}', " * "])
def test_a_tag_that_is_named_is_the_same(asked: str) -> None:
    assert is_same(asked, TAG)


@pytest.mark.parametrize("asked", [None, "", "abc", '"abcd"', '"x", "y"', "W/*"])
def test_any_other_is_not(asked: str | None) -> None:
    assert not is_same(asked, TAG)
