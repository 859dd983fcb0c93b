from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, SECOND
from pydantic import SecretStr

from leader.joining.intake import Intake, IntakePolicy
from wire import proof
from wire.messages import AwsProof, DenialCode, JoinRequest, PasswordClaim, Role

POLICY = IntakePolicy(cluster="demo", identity="aws", regions=frozenset({"eu-central-1"}))


def authorization(signature="0" * 64, key="ASIAEXAMPLEEXAMPLE00", **said):
    region = said.get("region", "eu-central-1")
    headers = said.get("headers", proof.SIGNED_HEADERS)
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20261123/{region}/sts/aws4_request, "
        f"SignedHeaders={headers}, Signature={signature}"
    )


def claim(text=None, at=NOW, **said):
    return AwsProof(
        authorization=SecretStr(authorization(**said) if text is None else text),
        date=at.strftime(proof.DATE_FORMAT),
        session_token=SecretStr("token"),
    )


def request(identity=None, **said):
    fields = {
        "cluster": "demo",
        "nonce": "a" * 32,
        "reply": "b" * 32,
        "role": Role.WORKER,
        "issued": NOW,
        "identity": identity or claim(),
    }
    return JoinRequest(**(fields | said))


def code(asked, policy=POLICY, at=NOW):
    denied = Intake(policy).screen(asked, at)
    return None if denied is None else denied.code


def test_an_honest_request_passes():
    assert code(request()) is None


def test_a_request_for_another_cluster_is_refused():
    assert code(request(cluster="prod")) is DenialCode.WRONG_CLUSTER


@pytest.mark.parametrize("seconds", [-600, -61, 61, 600])
def test_a_clock_that_is_off_is_refused_with_how_far(seconds):
    off = NOW + timedelta(seconds=seconds)

    for asked in (request(issued=off), request(claim(at=off))):
        denied = Intake(POLICY).screen(asked, NOW)
        assert denied is not None
        assert denied.code is DenialCode.STALE
        assert f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}" in denied.reason


@pytest.mark.parametrize("seconds", [-60, 0, 60])
def test_a_clock_that_is_a_little_off_passes(seconds):
    off = NOW + timedelta(seconds=seconds)

    assert code(request(claim(at=off), issued=off)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer token",
        authorization(headers="host;x-amz-date"),
        authorization(headers=proof.SIGNED_HEADERS.replace("x-spotswarm-nonce", "x-other")),
        authorization(headers=proof.SIGNED_HEADERS + ";accept"),
        authorization() + "\r\nHost: evil",
        authorization() + " ",
        authorization(key="lowercase-key-0000"),
        authorization().replace("/sts/", "/ec2/"),
    ],
)
def test_an_authorization_of_any_other_form_is_refused(text):
    assert code(request(claim(text))) is DenialCode.PROOF_FORM


def test_a_proof_for_another_region_is_refused():
    assert code(request(claim(region="us-east-1"))) is DenialCode.PROOF_FORM


def test_a_proof_counts_once():
    intake = Intake(POLICY)

    assert intake.screen(request(), NOW) is None
    again = intake.screen(request(nonce="c" * 32), NOW + SECOND)
    assert again is not None
    assert again.code is DenialCode.REPLAYED


def test_a_forgotten_replay_is_stale_by_then():
    intake = Intake(POLICY)
    intake.screen(request(), NOW)

    for seconds in range(1, 300, 7):
        denied = intake.screen(request(), NOW + seconds * SECOND)
        assert denied is not None
        assert denied.code in {DenialCode.REPLAYED, DenialCode.STALE}


def test_one_key_cannot_ask_without_end_and_others_are_not_hindered():
    intake = Intake(POLICY)
    answers = [
        intake.screen(request(claim(signature=f"{number + 1:064x}")), NOW) for number in range(25)
    ]

    refused = [denied.code for denied in answers if denied is not None]
    assert refused == [DenialCode.RATE_LIMITED] * 5
    assert (
        intake.screen(request(claim(key="ASIAOTHEROTHEROTHER0", signature="f" * 64)), NOW) is None
    )
    later = NOW + timedelta(minutes=1)
    fresh = request(claim(signature="e" * 64, at=later), issued=later)
    assert intake.screen(fresh, later) is None


def test_memory_does_not_grow_with_a_flood():
    intake = Intake(POLICY)
    for number in range(12_000):
        key = f"ASIA{number:016d}"
        intake.screen(request(claim(key=key, signature=f"{number + 1:064x}")), NOW)

    assert len(intake._seen) <= 10_001
    assert len(intake._rates) <= 10_001


def test_the_other_identity_mode_is_refused_both_ways():
    password = PasswordClaim(name="rack-7", address="10.0.0.7")
    outside = replace(POLICY, identity="password")

    assert code(request(password)) is DenialCode.IDENTITY_MODE
    assert code(request(), outside) is DenialCode.IDENTITY_MODE
    assert code(request(password), outside) is None


@pytest.mark.parametrize("off", [timedelta(hours=1), -timedelta(hours=1)])
def test_setting_the_leaders_clock_forgets_no_proof_and_counts_no_old_request(off):
    """Only what a request says of itself is compared with the date."""
    intake = Intake(POLICY)
    assert intake.screen(request(), NOW, steady_at=NOW) is None
    for number in range(POLICY.asks_per_minute - 1):
        found = request(claim(signature=f"{number + 1:064x}"), nonce=f"{number:032x}")
        assert intake.screen(found, NOW, steady_at=NOW) is None

    # A minute later by any clock, the rate is free again, whatever the date is by then.
    later, date = NOW + 61 * SECOND, NOW + off
    moved = request(claim(at=date, signature="f" * 64), nonce="d" * 32, issued=date)
    assert intake.screen(moved, date, steady_at=later) is None
    # The clock was set back to what it was: the first proof looks fresh, and it was used.
    again = intake.screen(request(nonce="e" * 32), NOW, steady_at=later)
    assert again is not None
    assert again.code is DenialCode.REPLAYED
