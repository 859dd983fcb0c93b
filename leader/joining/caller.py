"""Reads the response from STS, and checks whether the signer may request a token.

Rule: take the account, role and instance only from this response. The session name can be trusted
only if no one except EC2 can assume the role. The operator's trust policy must ensure this
(docs/operations.md).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from leader.view.ids import InstanceId
from leader.view.model import Denied
from wire import proof
from wire.messages import DenialCode

_NAMESPACE: Final = "{https://sts.amazonaws.com/doc/2011-06-15/}"
MAX_ANSWER_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Caller:
    """The signer of a GetCallerIdentity call, as identified by STS."""

    account: str
    role: str
    instance: InstanceId


def read_answer(
    status: int, content_type: str, body: bytes, *, account: str, roles: Collection[str]
) -> Caller | Denied:
    """Check a GetCallerIdentity response against the cluster's account and the allowed roles."""
    if status != 200:
        return Denied(
            DenialCode.PROOF_REFUSED,
            f"STS rejected the proof: {_error_code(body)} (HTTP {status})",
            30,
        )
    if "xml" not in content_type:
        return Denied(DenialCode.PROOF_REFUSED, "the response from STS is not XML", 30)
    root = _parsed(body)
    if root is None:
        return Denied(DenialCode.PROOF_REFUSED, "the response from STS is not valid XML", 30)
    if root.tag != f"{_NAMESPACE}GetCallerIdentityResponse":
        return Denied(
            DenialCode.PROOF_REFUSED, "the response from STS is not for GetCallerIdentity", 30
        )
    result = f"{_NAMESPACE}GetCallerIdentityResult/{_NAMESPACE}"
    arn = proof.ROLE_ARN.fullmatch(root.findtext(f"{result}Arn", ""))
    user = root.findtext(f"{result}UserId", "")
    if arn is None:
        return Denied(
            DenialCode.WRONG_ROLE, "the signer is not an EC2 instance with an instance role", 60
        )
    if user.partition(":")[2] != arn["instance"]:
        return Denied(
            DenialCode.WRONG_ROLE, "the signer's session does not belong to its instance", 60
        )
    if arn["account"] != account:
        return Denied(
            DenialCode.WRONG_ACCOUNT,
            f"the signer belongs to account {arn['account']},"
            f" but this cluster belongs to account {account}",
            60,
        )
    if arn["role"] not in roles:
        return Denied(
            DenialCode.WRONG_ROLE,
            f"{arn['instance']} has the role {arn['role']}, which is not one of the allowed roles:"
            f" {', '.join(sorted(roles))}",
            60,
        )
    return Caller(arn["account"], arn["role"], InstanceId(arn["instance"]))


def _parsed(body: bytes) -> ET.Element | None:
    """Parse the response, or return None if it is not XML in an encoding that Python knows."""
    try:
        # The response comes from our own STS endpoint, and its size is limited.
        return ET.fromstring(body)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError):
        return None


def _error_code(body: bytes) -> str:
    """Return the error code from STS, without the message, which may quote the request."""
    root = _parsed(body)
    if root is None:
        return "no reason given"
    code = next((part.text for part in root.iter() if part.tag.endswith("Code")), None)
    return code if code and code.isalnum() else "no reason given"
