import json
from dataclasses import asdict
from datetime import timedelta

import pytest
import tomli_w

from leader.settings import LeaderTable, load
from runtime.errors import RefusedError, UnavailableError

TABLE = {"secrets": "ssm:/spotswarm/demo/leader"}
FACTS = {
    "instance": "i-1",
    "region": "eu-central-1",
    "zone": "eu-central-1a",
    "type": "t3.small",
    "lifecycle": "on-demand",
    "address": "10.0.0.1",
}
USER_DATA = {
    "cluster": "demo",
    "broker": "rediss://10.0.0.1:6380",
    "password": "example-password",
    "leader_keys": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
    "ca": "example-ca",
    "role": "manager",
}
MINUTE = timedelta(minutes=1)


def loaded(place, leader):
    """The settings of a leader with this table."""
    (place / "leader.toml").write_text(
        f"#spotswarm\n{tomli_w.dumps(USER_DATA | {'leader': leader})}"
    )
    (place / "instance.json").write_text(json.dumps(FACTS))
    return load(run=place, etc=place)


def test_a_setting_that_is_absent_has_its_default(tmp_path):
    settings = loaded(tmp_path, TABLE)

    assert settings.policy.drain_within == timedelta(seconds=90)
    assert settings.policy.orphan_after == timedelta(minutes=15)
    assert (settings.policy.managers, settings.policy.identity) == (3, "aws")
    assert settings.table.broker == "container"
    assert settings.intake.identity == "aws"
    assert settings.intake.regions == {"eu-central-1"}
    assert settings.unknown == ()


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ({"managers": 5}, "managers", 5),
        ({"identity": "password"}, "identity", "password"),
        ({"worker_batch": 7}, "worker_batch", 7),
        ({"worker_token_minutes": 2}, "worker_token_age", 2 * MINUTE),
        ({"drain_seconds": 60}, "drain_within", MINUTE),
        ({"hint_seconds": 60}, "hint_patience", MINUTE),
        ({"absent_seconds": 60}, "absent_for", MINUTE),
        ({"down_seconds": 60}, "down_for", MINUTE),
        ({"orphan_seconds": 60}, "orphan_after", MINUTE),
        ({"removals_at_once": 9}, "removals_at_once", 9),
        ({"rebalance": False}, "is_rebalancing", False),
        ({"rebalance_cooldown_seconds": 0}, "rebalance_cooldown", timedelta()),
        ({"rebalances_per_hour": 9}, "rebalances_per_hour", 9),
        ({"heartbeat": 60}, "heartbeat", MINUTE),
        ({"heartbeat": "keep"}, "keeps_heartbeat", True),
    ],
)
def test_each_setting_changes_one_field_of_the_policy(setting, field, value):
    default = asdict(LeaderTable(**TABLE).policy("demo"))
    policy = asdict(LeaderTable(**TABLE, **setting).policy("demo"))

    differing = {name for name, value in policy.items() if value != default[name]}
    assert policy[field] == value
    assert differing == {field}


@pytest.mark.parametrize(
    ("leader", "name"),
    [
        ({"secrets": "/etc/secrets"}, "secrets"),
        ({}, "secrets"),
        (TABLE | {"managers": 0}, "managers"),
        (TABLE | {"hint_seconds": 0}, "hint_seconds"),
        (TABLE | {"worker_token_minutes": 10**12}, "worker_token_minutes"),
        (TABLE | {"rebalance_cooldown_seconds": 10**12}, "rebalance_cooldown_seconds"),
        (TABLE | {"broker": "example-value"}, "broker"),
        (TABLE | {"address_pool": "10.0.0.0/24"}, "address_pool"),
        (TABLE | {"address_pool": "8.0.0.0/8"}, "address_pool"),
        (TABLE | {"address_pool": "10.0.0.1/8"}, "address_pool"),
        ("yes", "[leader]"),
    ],
)
def test_the_leader_names_a_wrong_setting_without_its_value(tmp_path, leader, name):
    with pytest.raises(RefusedError) as caught:
        loaded(tmp_path, leader)

    assert name in str(caught.value)
    assert "example-" not in str(caught.value)


def test_a_setting_of_a_later_version_is_ignored_and_named(tmp_path):
    assert loaded(tmp_path, TABLE | {"shade": "dark"}).unknown == ("shade",)


def test_before_the_agent_has_written_the_settings_they_are_unavailable(tmp_path):
    with pytest.raises(UnavailableError, match="spotswarm-agent has not written"):
        load(run=tmp_path, etc=tmp_path)


DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_the_brokers_image_is_the_one_in_the_machine_image(tmp_path):
    assert loaded(tmp_path, TABLE).broker_image == "redis:7"

    (tmp_path / "broker-image").write_text(f"redis:7@{DIGEST}\n")
    assert loaded(tmp_path, TABLE).broker_image == f"redis:7@{DIGEST}"

    chosen = f"registry.example:5000/mirror/redis:7.4@{DIGEST}"
    assert loaded(tmp_path, TABLE | {"broker_image": chosen}).broker_image == chosen


@pytest.mark.parametrize(
    "name", ["", "redis:7@sha256:123", "redis 7", "-redis", f"redis:7@{DIGEST}0", "Redis:7"]
)
def test_a_brokers_image_that_is_no_image_is_refused(tmp_path, name):
    with pytest.raises(RefusedError, match="broker_image"):
        loaded(tmp_path, TABLE | {"broker_image": name})


def test_a_record_of_the_machine_image_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "broker-image").write_text("<html>")

    with pytest.raises(RefusedError, match="broker-image does not name an image"):
        loaded(tmp_path, TABLE)
