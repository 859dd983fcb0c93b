from datetime import UTC, datetime

import pytest
import tomli_w

from cli.founding.secrets import create, user_data_text
from wire import user_data
from wire.messages import MalformedMessage, Role

MADE = create(
    cluster="demo",
    names=[],
    addresses=["10.99.0.10"],
    port=6380,
    days=10,
    at=datetime(2026, 11, 23, tzinfo=UTC),
)
LEADER = {"secrets": "ssm:/spotswarm/demo/leader", "elastic_ip": "eipalloc-1"}


def test_an_agent_reads_what_init_prints():
    data = user_data.parse(user_data_text(MADE.agent))

    assert data.cluster == "demo"
    assert data.broker == "rediss://10.99.0.10:6380"
    assert data.role is Role.WORKER
    assert data.identity == "aws"
    assert data.leader is None
    assert data.ca == MADE.leader.ca


def test_an_agent_passes_the_leaders_table_on_unread():
    data = user_data.parse(user_data_text(MADE.agent | {"role": "manager", "leader": LEADER}))

    assert data.role is Role.MANAGER
    assert data.leader == LEADER


def test_a_setting_of_a_later_build_is_ignored_and_named():
    text = user_data_text(MADE.agent | {"colour": "blue", "leader": LEADER | {"shade": "dark"}})

    assert user_data.parse(text).cluster == "demo"
    assert user_data.unknown(text) == ("colour",)


@pytest.mark.parametrize("leader", [LEADER | {"hint_seconds": 0}, {"secrets": 7}, "yes", [1]])
def test_a_wrong_setting_of_the_leader_does_not_keep_the_agent_from_starting(leader):
    data = user_data.parse(f"#spotswarm\n{tomli_w.dumps(MADE.agent | {'leader': leader})}")

    assert data.cluster == "demo"
    assert data.leader == leader


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("broker", "redis://10.0.0.1:6380", "broker"),
        ("broker", "rediss://user@10.0.0.1:6380", "broker"),
        ("cluster", "Demo Cluster", "cluster"),
        ("leader_keys", ["AAAA"], "leader_keys"),
        ("deadman_seconds", 10**12, "deadman_seconds"),
        ("leader_keys", [], "leader_keys"),
        ("role", "king", "role"),
        ("identity", "trust", "identity"),
    ],
)
def test_a_wrong_setting_is_named_and_no_value_quoted(setting, value, named):
    text = f"#spotswarm\n{tomli_w.dumps(MADE.agent | {setting: value})}"

    with pytest.raises(MalformedMessage) as caught:
        user_data.parse(text)

    assert named in str(caught.value)
    assert MADE.leader.agent_password.get_secret_value() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "#!/bin/sh\n", "#cloud-config\n", "#spotswarm\n= ="])
def test_user_data_of_another_kind_is_refused_with_what_to_do(text):
    with pytest.raises(MalformedMessage, match="user data"):
        user_data.parse(text)
