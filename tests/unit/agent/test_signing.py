from datetime import UTC, datetime, timedelta

import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from agent.signing import Credentials, sign
from leader.joining.intake import Intake, IntakePolicy
from wire import proof
from wire.messages import JoinRequest, Role

printable = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", min_size=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


def botocores(credentials, *, region, url, headers, monkeypatch, at):
    request = AWSRequest("POST", url, data=proof.BODY, headers=dict(headers))
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
    SigV4Auth(credentials, "sts", region).add_auth(request)
    return request.headers["Authorization"]


def check(monkeypatch, *, secret, token, url, region, at):
    bound = {"cluster": "demo", "nonce": "a" * 32, "key": "a+key/="}
    own = Credentials("ASIAEXAMPLEEXAMPLE00", SecretStr(secret), SecretStr(token), at)
    signed = sign(own, region=region, url=url, at=at, **bound)
    headers = proof.headers(
        date=signed.date.strftime(proof.DATE_FORMAT), session_token=token, **bound
    )
    headers = {name: text for name, text in headers.items() if not name.startswith("x-amz")}
    theirs = botocores(
        BotoCredentials("ASIAEXAMPLEEXAMPLE00", secret, token),
        region=region,
        url=url,
        headers=headers,
        monkeypatch=monkeypatch,
        at=at,
    )

    assert signed.authorization.get_secret_value() == theirs


def test_our_signature_is_botocores_to_the_letter(monkeypatch):
    @given(
        printable,
        printable,
        st.sampled_from(
            [
                "https://sts.eu-central-1.amazonaws.com/",
                "https://sts.cn-north-1.amazonaws.com.cn/",
                "http://10.98.0.1:4566/",
                "http://10.98.0.1:4566",
            ]
        ),
        st.sampled_from(["eu-central-1", "us-gov-west-1"]),
        moments,
    )
    def property_(secret, token, url, region, at):
        check(monkeypatch, secret=secret, token=token, url=url, region=region, at=at)

    property_()


def test_the_leader_takes_the_form_of_our_proof():
    at = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    own = Credentials("ASIAEXAMPLEEXAMPLE00", SecretStr("s"), SecretStr("t"), at)
    signed = sign(
        own,
        region="eu-central-1",
        url=proof.endpoint("eu-central-1"),
        cluster="demo",
        nonce="a" * 32,
        key="key",
        at=at,
    )
    asked = JoinRequest(
        cluster="demo",
        nonce="a" * 32,
        reply="b" * 32,
        role=Role.WORKER,
        issued=at,
        identity=signed,
    )
    policy = IntakePolicy(cluster="demo", identity="aws", regions=frozenset({"eu-central-1"}))

    assert Intake(policy).screen(asked, at + timedelta(seconds=5)) is None
