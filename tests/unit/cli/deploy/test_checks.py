"""What a deployment needs, and what the values of secrets are."""

from typing import Any

import pytest

from cli.deploy.checks import _misfit, _secret_value
from cli.deploy.stackfile.stack import Stack


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hush-hush\n", b"hush-hush"),
        (b"hush-hush\r\n", b"hush-hush"),
        (b"two\nlines\n\n", b"two\nlines"),
        ("größe\n".encode(), "größe".encode()),
        (b"\x30\x82\x0a\xff\n", b"\x30\x82\x0a\xff\n"),
        (b"a\x00b\n", b"a\x00b\n"),
        (bytes(range(256)) + b"\n", bytes(range(256)) + b"\n"),
    ],
)
def test_only_text_loses_the_line_end_at_its_end(content: bytes, value: bytes) -> None:
    assert _secret_value(content) == value


@pytest.mark.parametrize(
    ("deploy", "has_nowhere"),
    [
        (None, True),
        ({"placement": None}, True),
        ({"replicas": 2}, True),
        ({"replicas": 0}, False),
        ({"mode": "global"}, False),
        ({"mode": "global-job"}, False),
    ],
)
def test_a_service_that_runs_a_task_needs_a_node(deploy: Any, has_nowhere: bool) -> None:
    stack = Stack("services", {"services": {"web": {"deploy": deploy}}})
    assert bool(_misfit(stack, "web", [], None)) == has_nowhere
