"""Reading STS's answer: who signed the call, and whether he may ask at all.

Rule: account, role and instance come from this answer alone. The role's session is named
after the instance only while EC2 is the only one that may assume the role; the operator's
trust policy must say so (docs/operations.md).
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
    """The signer, by STS's word."""

    account: str
    role: str
    instance: InstanceId


def read_answer(
    status: int, content_type: str, body: bytes, *, account: str, roles: Collection[str]
) -> Caller | Denied:
    """Judge one GetCallerIdentity answer against our account and the roles allowed."""
    if status != 200:
        return Denied(
            DenialCode.PROOF_REFUSED,
            f"STS refused the proof: {_error_code(body)} (HTTP {status})",
            30,
        )
    if "xml" not in content_type:
        return Denied(DenialCode.PROOF_REFUSED, "STS answered something that is no XML", 30)
    try:
        root = ET.fromstring(body)  # noqa: S314  from our own STS endpoint, capped, no DTD used
    except ET.ParseError:
        return Denied(DenialCode.PROOF_REFUSED, "STS's answer cannot be read", 30)
    if root.tag != f"{_NAMESPACE}GetCallerIdentityResponse":
        return Denied(DenialCode.PROOF_REFUSED, "STS answered another question", 30)
    result = f"{_NAMESPACE}GetCallerIdentityResult/{_NAMESPACE}"
    arn = proof.ROLE_ARN.fullmatch(root.findtext(f"{result}Arn", ""))
    user = root.findtext(f"{result}UserId", "")
    if arn is None:
        return Denied(
            DenialCode.WRONG_ROLE, "the signer is not an instance with a role of its own", 60
        )
    if user.partition(":")[2] != arn["instance"]:
        return Denied(DenialCode.WRONG_ROLE, "the signer's session is not its instance's", 60)
    if arn["account"] != account:
        return Denied(
            DenialCode.WRONG_ACCOUNT,
            f"the signer's account is {arn['account']}; ours is {account}",
            60,
        )
    if arn["role"] not in roles:
        return Denied(
            DenialCode.WRONG_ROLE,
            f"{arn['instance']} has the role {arn['role']}; allowed are {', '.join(sorted(roles))}",
            60,
        )
    return Caller(arn["account"], arn["role"], InstanceId(arn["instance"]))


def _error_code(body: bytes) -> str:
    """STS's error code, or nothing: the message beside it may quote the request."""
    try:
        root = ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        return "no reason given"
    code = next((found.text for found in root.iter() if found.tag.endswith("Code")), None)
    return code if code and code.isalnum() else "no reason given"
