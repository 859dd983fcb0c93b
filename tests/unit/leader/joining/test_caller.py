import pytest

from leader.joining.caller import Caller, read_answer
from leader.view.model import Denied
from wire.messages import DenialCode

ACCOUNT, ROLES = "123456789012", ("spotswarm-worker", "spotswarm-manager")
INSTANCE = "i-0123456789abcdef0"
ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/spotswarm-worker/{INSTANCE}"


def answer(arn=ARN, user=f"AROAEXAMPLE:{INSTANCE}", root="GetCallerIdentityResponse"):
    return (
        f'<{root} xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>{user}</UserId><Account>{ACCOUNT}</Account>"
        f"</GetCallerIdentityResult></{root}>"
    ).encode()


def read(body, status=200, kind="text/xml"):
    return read_answer(status, kind, body, account=ACCOUNT, roles=ROLES)


def test_an_instance_with_our_role_is_who_sts_says():
    assert read(answer()) == Caller(ACCOUNT, "spotswarm-worker", INSTANCE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (answer(ARN.replace(ACCOUNT, "999999999999")), DenialCode.WRONG_ACCOUNT),
        (answer(ARN.replace("spotswarm-worker", "admin")), DenialCode.WRONG_ROLE),
        (answer(ARN.replace(INSTANCE, "alice")), DenialCode.WRONG_ROLE),
        (answer(f"arn:aws:iam::{ACCOUNT}:user/alice"), DenialCode.WRONG_ROLE),
        (answer(user="AROAEXAMPLE:i-99999999"), DenialCode.WRONG_ROLE),
        (answer(user="AROAEXAMPLE"), DenialCode.WRONG_ROLE),
        (answer(ARN + "/" + INSTANCE), DenialCode.WRONG_ROLE),
        (answer(root="GetSessionTokenResponse"), DenialCode.PROOF_REFUSED),
        (b"<html>", DenialCode.PROOF_REFUSED),
        (b"", DenialCode.PROOF_REFUSED),
    ],
)
def test_any_other_answer_is_a_denial(body, code):
    denied = read(body)

    assert isinstance(denied, Denied)
    assert denied.code is code


def test_an_answer_that_is_no_xml_is_not_read():
    denied = read(answer(), kind="application/json")

    assert isinstance(denied, Denied)
    assert denied.code is DenialCode.PROOF_REFUSED


def test_a_refusal_is_told_by_its_code_alone():
    body = (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        b"<Code>SignatureDoesNotMatch</Code><Message>Canonical: SECRET</Message>"
        b"</Error></ErrorResponse>"
    )

    denied = read(body, status=403)

    assert isinstance(denied, Denied)
    assert "SignatureDoesNotMatch" in denied.reason
    assert "SECRET" not in denied.reason
