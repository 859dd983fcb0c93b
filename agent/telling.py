"""Telling the leader what AWS announces, and that we have left.

Rule: both are boxed with the join key, by which alone the leader believes them; an order to
leave counts only if our own leader's key opens it and it names this cluster and instance.
"""

import secrets
from typing import Final

from nacl.public import PrivateKey

from agent.asking import Send
from agent.model import Standing
from runtime import clock
from runtime.errors import RefusedError
from wire import keys
from wire.instance import InstanceFacts
from wire.messages import Farewell, Leave, MalformedMessage, Notice
from wire.sealing import open_reply, public_key, seal_request
from wire.user_data import UserData

_REASON_CHARACTERS: Final = 200


async def tell(
    told: UserData, facts: InstanceFacts, standing: Standing, *, key: PrivateKey, send: Send
) -> str:
    """Tell the leader once and wait for its order: why to leave.

    Raises what `send` raises, and RefusedError for an answer that is not our leader's.
    """
    announcement = standing.announcement
    notice = Notice(
        cluster=told.cluster,
        instance=facts.instance,
        notice=announcement.notice,
        action=announcement.action,
        effective=announcement.effective,
        seen=standing.seen,
        reply=(name := secrets.token_hex(16)),
        event=announcement.event,
    )
    leaders = [public_key(text) for text in told.leader_keys]
    sealed = seal_request(notice, sender=key, leader=leaders[0])
    answer = await send(told, name, sealed, keys.NOTICE_WAIT.total_seconds())
    try:
        order = open_reply(answer, asker=key, leaders=leaders)
    except MalformedMessage as exc:
        raise RefusedError(f"the answer to a notice is not from our leader: {exc}") from exc
    match order:
        case Leave(cluster=told.cluster, instance=facts.instance, reason=reason):
            return reason
        case _:
            raise RefusedError(f"the answer to a notice is a {order.kind}, not for us")


def farewell(
    told: UserData, facts: InstanceFacts, *, node: str, reason: str, key: PrivateKey
) -> bytes:
    """A sealed farewell."""
    message = Farewell(
        cluster=told.cluster,
        instance=facts.instance,
        node=node,
        reason=reason[:_REASON_CHARACTERS],
        at=clock.now(),
    )
    return seal_request(message, sender=key, leader=public_key(told.leader_keys[0]))
