"""What the parser's process answers to any request."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.newswatcher.parsing import frames
from services.newswatcher.parsing.answers import (
    Failure,
    ParsedFeed,
    ParsedPage,
    RobotsVerdict,
    answer,
)

FEED = b"<rss><item><title>T</title><link>https://a.example/1</link></item></rss>"
REQUESTS: dict[str, tuple[dict[str, Any], type[Any]]] = {
    "feed": (
        {"kind": "feed", "url": "https://a.example/f", "content_type": "text/xml"},
        ParsedFeed,
    ),
    "page": ({"kind": "page", "content_type": "text/html"}, ParsedPage),
    "robots": ({"kind": "robots", "url": "https://a.example/x", "robot": "R"}, RobotsVerdict),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values),
    max_leaves=5,
)


def over_the_pipe(fields: dict[str, Any]) -> dict[str, Any]:
    message = frames.encode(fields)
    text_bytes, body_bytes = frames.lengths(message[: frames.HEAD_BYTES])
    assert body_bytes == 0
    assert len(message) == frames.HEAD_BYTES + text_bytes
    return frames.decode(message[frames.HEAD_BYTES :])


def test_a_feeds_entries_survive_the_pipe() -> None:
    parsed = ParsedFeed.model_validate(over_the_pipe(answer(REQUESTS["feed"][0], FEED)))
    assert [entry.title for entry in parsed.entries] == ["T"]
    assert parsed.refused == 0


def test_what_is_not_a_feed_is_called_so() -> None:
    failure = Failure.model_validate(answer(REQUESTS["feed"][0], b"{}"))
    assert failure.is_not_a_feed
    assert "not an RSS or Atom feed" in failure.failure


@pytest.mark.parametrize("kind", REQUESTS)
@given(body=st.binary(max_size=200), at=st.integers(0, len(FEED)))
def test_any_text_gets_a_valid_answer(kind: str, body: bytes, at: int) -> None:
    request, model = REQUESTS[kind]
    for text in (body, FEED[:at] + body + FEED[at:]):
        fields = over_the_pipe(answer(request, text))
        (Failure if "failure" in fields else model).model_validate(fields)


@given(JSON, st.sampled_from(sorted(REQUESTS)), st.sampled_from(["kind", "url", "content_type"]))
def test_any_request_gets_an_answer(value: Any, kind: str, field: str) -> None:
    fields = {**REQUESTS[kind][0], field: value}
    over_the_pipe(answer(fields, FEED))


def test_memory_errors_are_left_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("services.newswatcher.parsing.answers.entries.parse", fails)
    with pytest.raises(MemoryError):
        answer(REQUESTS["feed"][0], FEED)


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_a_message_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        frames.decode(text)


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        frames.lengths(b"\xff" * frames.HEAD_BYTES)


def test_an_entry_with_a_dangerous_link_is_no_answer() -> None:
    fields = answer(REQUESTS["feed"][0], FEED)
    fields["entries"][0]["link"] = "javascript:alert(1)"
    with pytest.raises(ValidationError):
        ParsedFeed.model_validate(fields)
