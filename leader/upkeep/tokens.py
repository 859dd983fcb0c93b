"""When join tokens are rotated, so that an old one cannot be used for ever.

Rule: one rotation at a time, and none while a granted instance is still joining, because its token
would be refused. A worker token that is too old is rotated anyway; the instance asks again.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.view.actions import RotateToken
from leader.view.model import Policy, Tokens
from leader.view.moment import Moment
from wire.messages import Role


def rotate_tokens(moment: Moment) -> Iterator[RotateToken]:
    """The rotation that is due, if any."""
    tokens = moment.view.tokens
    joining = {granted.role for granted in moment.view.outstanding.values()}
    if tokens.is_manager_used and Role.MANAGER not in joining:
        yield RotateToken(
            role=Role.MANAGER, reason="the manager token was used, or may have been used"
        )
        return
    reason = _worker_rotation(tokens, moment.policy, moment.at, is_joining=Role.WORKER in joining)
    if reason is not None:
        yield RotateToken(role=Role.WORKER, reason=reason)


def _worker_rotation(
    tokens: Tokens, policy: Policy, at: datetime, *, is_joining: bool
) -> str | None:
    if tokens.worker_rotated is None:
        return "a new leader cannot know who was given this token"
    age = at - tokens.worker_rotated
    if tokens.worker_grants and age >= policy.worker_token_age:
        return f"the worker token is {age} old and was used"
    if tokens.worker_grants >= policy.worker_batch and not is_joining:
        return f"the worker token was granted {tokens.worker_grants} times"
    return None
