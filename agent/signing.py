"""Signs the AWS call that proves our identity, using Signature Version 4 without an AWS SDK.

Importing an SDK would take longer than all the other steps of a join combined
(docs/decisions/0003). Rule: sign only the request that `wire.proof` defines. Tests compare the
result with botocore's, byte by byte.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import SecretStr

from wire import proof
from wire.messages import AwsProof


@dataclass(frozen=True, slots=True)
class Credentials:
    """The instance role's temporary credentials."""

    access_key: str
    secret_key: SecretStr
    session_token: SecretStr
    expires: datetime


def sign(
    credentials: Credentials,
    *,
    region: str,
    url: str,
    cluster: str,
    nonce: str,
    key: str,
    at: datetime,
) -> AwsProof:
    """Return the proof of our identity for one join request.

    `url` is the STS endpoint that the leader will call.
    """
    date = at.strftime(proof.DATE_FORMAT)
    token = credentials.session_token.get_secret_value()
    parts = urlsplit(url)
    headers = proof.headers(
        cluster=cluster, nonce=nonce, key=key, date=date, session_token=token
    ) | {"host": parts.netloc}
    canonical = "\n".join(
        (
            "POST",
            parts.path or "/",
            "",
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",
            proof.SIGNED_HEADERS,
            hashlib.sha256(proof.BODY).hexdigest(),
        )
    )
    scope = f"{date[:8]}/{region}/sts/aws4_request"
    to_sign = "\n".join(
        ("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest())
    )
    signing_key = f"AWS4{credentials.secret_key.get_secret_value()}".encode()
    for part in scope.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
    return AwsProof(
        authorization=SecretStr(
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={proof.SIGNED_HEADERS}, Signature={signature}"
        ),
        date=at.replace(microsecond=0),
        session_token=SecretStr(token),
    )
