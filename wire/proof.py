"""The AWS call that proves an agent's identity, defined once for the agent and the leader.

The call is STS GetCallerIdentity (POST, with a fixed body), signed with Signature Version 4. The
cluster, the nonce and the agent's public key are signed headers. Rule: the agent and the leader
both build the request from these constants. The agent sends only the signature, its date and the
session token.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import re
from typing import Final

BODY: Final = b"Action=GetCallerIdentity&Version=2011-06-15"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"

SIGNED_HEADERS: Final = ";".join(
    sorted(
        (
            "content-type",
            "host",
            "x-amz-date",
            "x-amz-security-token",
            "x-spotswarm-cluster",
            "x-spotswarm-key",
            "x-spotswarm-nonce",
        )
    )
)
"""The headers that must be signed; an unsigned header could be replaced."""

AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key>[A-Z0-9]{16,128})/(?P<day>\d{8})/"
    r"(?P<region>[a-z0-9-]{5,25})/sts/aws4_request, "
    rf"SignedHeaders={re.escape(SIGNED_HEADERS)}, Signature=(?P<signature>[0-9a-f]{{64}})"
)

ROLE_ARN: Final = re.compile(
    r"arn:aws(?:-cn|-us-gov)?:sts::(?P<account>\d{12}):assumed-role/"
    r"(?P<role>[\w+=,.@-]{1,64})/(?P<instance>i-[0-9a-f]{8,17})"
)
"""EC2 names the role session with the instance id, so a person's session does not match."""

DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"


def headers(*, cluster: str, nonce: str, key: str, date: str, session_token: str) -> dict[str, str]:
    """Return all signed headers except `host`, which is taken from the URL."""
    return {
        "content-type": CONTENT_TYPE,
        "x-amz-date": date,
        "x-amz-security-token": session_token,
        "x-spotswarm-cluster": cluster,
        "x-spotswarm-key": key,
        "x-spotswarm-nonce": nonce,
    }


def endpoint(region: str) -> str:
    """Return the URL of the STS endpoint in this region."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sts.{region}.{suffix}/"
