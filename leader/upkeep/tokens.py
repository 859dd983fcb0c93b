"""When join tokens become worthless: who had one before cannot use it for ever.

Rule: at most one rotation at a time, and none that a granted instance on its way would lose the
race to, unless age demands it: then it asks again.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.view.actions import RotateToken
from leader.view.model import Policy, Tokens, View
from wire.messages import Role


def rotation(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[RotateToken]:
    """The rotation that is due, if any."""
    tokens = view.tokens
    waiting = {granted.role for granted in view.outstanding.values()}
    if tokens.is_manager_used and Role.MANAGER not in waiting:
        yield RotateToken(
            role=Role.MANAGER, reason="the manager token was used, or may have been", cause=cause
        )
        return
    reason = _worker_rotation(tokens, policy, at, is_waited_for=Role.WORKER in waiting)
    if reason is not None:
        yield RotateToken(role=Role.WORKER, reason=reason, cause=cause)


def _worker_rotation(
    tokens: Tokens, policy: Policy, at: datetime, *, is_waited_for: bool
) -> str | None:
    if tokens.worker_rotated is None:
        return "a new leader cannot know who had this token"
    age = at - tokens.worker_rotated
    if tokens.worker_grants and age >= policy.worker_token_age:
        return f"the worker token is {age} old and was used"
    if tokens.worker_grants >= policy.worker_batch and not is_waited_for:
        return f"the worker token was granted {tokens.worker_grants} times"
    return None
