"""Decides when to rotate join tokens; rotating a token makes the old one invalid.

Rule: rotate one token at a time. Do not rotate a token while an instance is using it to join,
because the swarm would reject the instance. A worker token that is too old is rotated anyway, and
the instance then requests another token.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.view.actions import RotateToken
from leader.view.model import Policy, Tokens
from leader.view.moment import Moment
from wire.messages import Role


def rotate_tokens(moment: Moment) -> Iterator[RotateToken]:
    """Yield the token rotation that is due, if any."""
    tokens = moment.view.tokens
    joining = {granted.role for granted in moment.view.outstanding.values()}
    if tokens.is_manager_used and Role.MANAGER not in joining:
        yield RotateToken(
            role=Role.MANAGER, reason="the manager token has been granted, or may have been granted"
        )
        return
    reason = _worker_rotation(tokens, moment.policy, moment.at, is_joining=Role.WORKER in joining)
    if reason is not None:
        yield RotateToken(role=Role.WORKER, reason=reason)


def _worker_rotation(
    tokens: Tokens, policy: Policy, at: datetime, *, is_joining: bool
) -> str | None:
    if tokens.worker_rotated is None:
        return "a new leader does not know which instances received the worker token"
    age = at - tokens.worker_rotated
    if tokens.worker_grants and age >= policy.worker_token_age:
        return f"the worker token is {age} old and has been granted"
    if tokens.worker_grants >= policy.worker_batch and not is_joining:
        return f"the worker token has been granted {tokens.worker_grants} times"
    return None
