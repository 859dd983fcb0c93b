import pytest

from runtime.logs import hide_secrets, scrub

TOKEN = "SWMTKN-1-3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl-1awxwuwd3z9j1z3puu7rcgdbx"


def event(**fields):
    return hide_secrets(None, "info", {"event": "something happened", **fields})


@pytest.mark.parametrize(
    "name", ["password", "join_token", "session_token", "Authorization", "leader_key", "secret"]
)
def test_a_field_named_like_a_secret_is_hidden(name):
    assert event(**{name: "hunter2"})[name] == "[hidden]"


@pytest.mark.parametrize(
    "text",
    [
        f"docker swarm join --token {TOKEN} 10.0.0.1:2377",
        "AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/x, Signature=" + "a" * 64,
        "rediss://agent:hunter2@10.0.0.1:6380",
    ],
)
def test_a_secret_shape_inside_any_value_is_hidden(text):
    for shown in (scrub(text), str(event(reason=text)), str(event(inner={"deep": [text]}))):
        assert TOKEN not in shown
        assert "ASIAABCDEFGHIJKLMNOP" not in shown
        assert "a" * 64 not in shown
        assert "hunter2" not in shown


def test_what_an_operator_needs_stays_readable():
    fields = {"instance": "i-0123456789abcdef0", "reason": "joined as worker", "nodes": 7}

    assert event(**fields) == {"event": "something happened", **fields}
