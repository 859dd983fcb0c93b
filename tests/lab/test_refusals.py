"""Who must not join does not, is told why, and no secret shows anywhere."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

STRANGER = (Path(__file__).parent / "stranger.py").read_text()
FAKETIME = "/usr/local/lib/libfaketime.so.1"
SECRET_SHAPES = re.compile(r"SWMTKN-\d|Signature=[0-9a-f]{16}|PRIVATE KEY")
ROLES = ("worker", "manager")


@pytest.mark.parametrize(
    ("lifecycle", "code"), [("spot", "spot-manager"), ("on-demand", "not-a-manager")]
)
def test_a_worker_that_asks_to_be_manager_is_denied(scenario, lifecycle, code):
    worker = scenario.launch(lifecycle=lifecycle, user_data=scenario.user_data(role="manager"))

    denial = scenario.denial(code, instance=worker.instance)

    assert denial["answer"] == "denied"
    assert denial["role"] == "manager"
    scenario.says(worker, code)
    assert not scenario.is_in_swarm(worker)


def test_a_fourth_manager_is_denied_while_three_are_wanted(scenario):
    extra = scenario.launch(role="manager", lifecycle="on-demand")

    denial = scenario.denial("managers-complete", instance=extra.instance)

    assert "3 of 3 managers" in denial["reason"]
    assert not scenario.is_in_swarm(extra)


def test_an_instance_of_another_cluster_is_denied(scenario):
    other = scenario.launch(tags={"spotswarm:cluster": "other"})

    scenario.denial("not-in-cluster", instance=other.instance)

    assert not scenario.is_in_swarm(other)


def test_an_instance_with_another_role_is_denied(scenario):
    visitor = scenario.launch(profile="visitor")

    denial = scenario.denial("wrong-role")

    assert "visitor" in denial["reason"]
    scenario.says(visitor, "wrong-role")
    assert not scenario.is_in_swarm(visitor)


def test_an_agent_with_another_ca_does_not_believe_the_broker(scenario, others_secrets):
    other = tomllib.loads(others_secrets)
    worker = scenario.launch(user_data=scenario.user_data(ca=other["ca"]))

    scenario.says(worker, "certificate cannot be trusted")

    assert not scenario.is_in_swarm(worker)


def test_an_agent_with_another_password_is_refused_by_the_broker(scenario, others_secrets):
    other = tomllib.loads(others_secrets)
    worker = scenario.launch(user_data=scenario.user_data(password=other["password"]))

    scenario.says(worker, "rejected the password in user data")

    assert not scenario.is_in_swarm(worker)
    assert other["password"] not in worker.journal("spotswarm-agent")


def test_an_agent_with_another_leaders_key_gets_no_answer(scenario, others_secrets):
    other = tomllib.loads(others_secrets)
    worker = scenario.launch(user_data=scenario.user_data(leader_keys=other["leader_keys"]))

    scenario.says(worker, "check that user data contains the leader's key")

    assert scenario.denial("unopenable")["answer"] == "dropped"
    assert not scenario.is_in_swarm(worker)


def test_a_clock_off_by_ten_minutes_is_refused_then_signed_by_the_leaders(scenario):
    worker = scenario.launch_idle()
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    shutil.copyfile(library, worker.root / FAKETIME.lstrip("/"))
    worker.write(
        "/etc/spotswarm/agent.env",
        f"LD_PRELOAD={FAKETIME}\nFAKETIME=-10m\nFAKETIME_DONT_FAKE_MONOTONIC=1\n",
    )
    scenario.start_agent(worker)

    denial = scenario.denial("stale")

    assert re.search(r"(599|60\d) s behind the leader's clock", denial["reason"])
    scenario.serves(worker)
    assert "off the leader's" in worker.journal("spotswarm-agent")


def test_an_instance_in_the_swarm_gets_no_second_token(scenario):
    """A container on it may be using its credentials."""
    worker = scenario.launch()
    scenario.serves(worker)

    assert play(scenario, worker, "honest") == "already-joined"


@pytest.mark.parametrize(
    ("trick", "code"),
    [
        ("other-nonce", "proof-refused"),
        ("other-key", "proof-refused"),
        ("other-date", "proof-refused"),
        ("other-signature", "proof-refused"),
        ("other-token", "proof-refused"),
        ("other-cluster", "wrong-cluster"),
        ("other-region", "proof-form"),
        ("unsigned-header", "proof-form"),
        ("old", "stale"),
        ("replay", "replayed"),
        ("password-claim", "identity-mode"),
    ],
)
def test_a_tampered_or_replayed_proof_is_refused(scenario, idle, trick, code):
    assert play(scenario, idle, trick) == code
    assert scenario.denial(code)["reason"]


def test_an_altered_box_is_dropped_unanswered(scenario, idle):
    assert play(scenario, idle, "altered-box") == "silence"
    assert scenario.denial("unopenable")["answer"] == "dropped"


@pytest.mark.parametrize(
    ("session", "account", "role", "code"),
    [
        ("i-0deadbeefdeadbeef", "123456789012", "spotswarm-worker", "unknown-instance"),
        ("alice", "123456789012", "spotswarm-worker", "wrong-role"),
        ("i-0deadbeefdeadbeef", "999999999999", "spotswarm-worker", "wrong-account"),
    ],
)
def test_credentials_that_are_no_instance_of_ours_are_refused(
    scenario, idle, anybody_may_assume, session, account, role, code
):
    assumed = scenario.lab.aws("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=session
    )["Credentials"]
    assumed["Expiration"] = assumed["Expiration"].isoformat()

    assert play(scenario, idle, "honest", credentials=assumed) == code


def test_no_secret_is_in_any_journal_status_or_metric(scenario):
    """Runs last of this file: everything above was logged by then."""
    told = tomllib.loads(scenario.lab.user_data("worker"))
    ssm = scenario.lab.aws("ssm")
    secrets = [
        parameter["Value"]
        for page in ssm.get_paginator("get_parameters_by_path").paginate(
            Path="/spotswarm", Recursive=True, WithDecryption=True
        )
        for parameter in page["Parameters"]
        if parameter["Name"].endswith((".password", ".key"))
    ]
    leader = scenario.leader()
    secrets += [leader.docker("swarm", "join-token", "-q", role).strip() for role in ROLES]
    assert told["password"] in secrets
    assert len(secrets) >= 6

    texts = {}
    for machine in scenario.lab.machines():
        texts[f"journal of {machine.hostname}"] = machine.run(
            "journalctl", "--no-pager", "-o", "cat", timeout=60
        ).stdout
        texts[f"processes of {machine.hostname}"] = machine.run("ps", "axww").stdout
    texts["metrics"] = leader.run("curl", "-s", "http://127.0.0.1:9180/metrics").stdout
    for command in ("status", "nodes", "joins"):
        texts[command] = json.dumps(scenario.ask_leader(command))

    assert "spotswarm_joins_total" in texts["metrics"]
    for where, text in texts.items():
        assert not SECRET_SHAPES.search(text), where
        for secret in secrets:
            assert secret not in text, where


@pytest.fixture(scope="module")
def idle(cluster):
    """An instance of ours that is not in the swarm, to play a stranger on."""
    (instance,) = cluster.launch(agent_enabled=False)
    cluster.wait_machines(instance, within=60)
    yield cluster.machine(instance)
    cluster.terminate(instance)


@pytest.fixture
def anybody_may_assume(cluster):
    """The worker role with the trust policy our documents warn of."""
    iam = cluster.aws("iam")
    role = iam.get_role(RoleName="spotswarm-worker")["Role"]
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    loose = {"Version": "2012-10-17", "Statement": [statement]}
    iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(loose))
    yield
    before = json.dumps(role["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=before)


def play(scenario, machine, trick, credentials=None):
    """Run the stranger on a machine; returns the denial's code, `granted` or `silence`."""
    machine.write("/root/user-data", scenario.lab.user_data("worker"))
    machine.write("/root/stranger.py", STRANGER)
    machine.write("/root/credentials", json.dumps(credentials))
    said = machine.run("/opt/spotswarm/bin/python", "/root/stranger.py", trick, timeout=60)
    return said.stdout.strip()
