"""The permissions in the docs are the calls in the code: none is missing, and none is too much."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.aws import account

REPOSITORY: Final = Path(__file__).parents[3]
OPERATIONS: Final = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
CLIENTS: Final = ("ec2", "sqs", "ssm", "sts", "route53", "autoscaling")
PERMISSIONS: Final = {"sqs:DeleteMessageBatch": "sqs:DeleteMessage"}
"""IAM's names for calls that it names differently."""
NEEDS_NONE: Final = {"sts:GetCallerIdentity"}
LEGO: Final = (
    "ListHostedZonesByName",
    "ListResourceRecordSets",
    "ChangeResourceRecordSets",
    "GetChange",
)
"""The calls of lego's provider `route53`, from its documentation."""


def calls(folder: str) -> set[str]:
    """Return the permissions for all calls of boto3 clients below a folder."""
    found = set()
    for file in (REPOSITORY / folder).rglob("*.py"):
        for service, method in _methods(ast.parse(file.read_text("utf-8"))):
            call = f"{service}:{''.join(part.capitalize() for part in method.split('_'))}"
            found.add(PERMISSIONS.get(call, call))
    return found


def _methods(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="get_paginator", value=client),
                args=[ast.Constant(value=str(method))],
            ) if service := _service(client):
                yield service, method
            case ast.Attribute(attr=method, value=client) if service := _service(client):
                if method not in {"get_paginator", "get_waiter", "exceptions", "meta", "close"}:
                    yield service, method


def _service(client: ast.expr) -> str | None:
    name = getattr(client, "attr", getattr(client, "id", "")).removeprefix("_")
    return name if name in CLIENTS else None


def policy() -> set[str]:
    """Return the permissions that the manager role's policy in the docs grants."""
    blocks = re.findall(r"```json\n(.*?)```", OPERATIONS, re.DOTALL)
    granted: set[str] = set()
    for statement in (
        one for block in blocks for one in json.loads(block).get("Statement", ()) if one
    ):
        if "Resource" in statement:
            actions = statement["Action"]
            granted |= {actions} if isinstance(actions, str) else set(actions)
    return granted


def test_the_manager_roles_policy_grants_the_leaders_calls_and_no_others() -> None:
    leaders = calls("leader")
    assert {"ec2:TerminateInstances", "sqs:ReceiveMessage", "sts:GetCallerIdentity"} <= leaders
    assert policy() == leaders - NEEDS_NONE


def test_the_labs_manager_role_has_the_same_policy() -> None:
    """Otherwise the lab could not show that a permission is missing."""
    granted = {
        action
        for statement in account.policies("demo")[account.MANAGER]
        for action in statement["Action"]
    }
    # moto checks a batch by the name of its call.
    assert {PERMISSIONS.get(action, action) for action in granted} == policy()


def test_the_agent_makes_no_calls_that_need_a_permission() -> None:
    assert calls("agent") <= NEEDS_NONE


def test_the_docs_name_what_the_operator_needs_for_init() -> None:
    for call in calls("cli"):
        assert f"`{call}`" in OPERATIONS, call


def test_the_docs_name_legos_calls() -> None:
    for file in ("docs/deploying.md", ".env.example"):
        text = (REPOSITORY / file).read_text("utf-8")
        for call in LEGO:
            assert call in text, (file, call)
