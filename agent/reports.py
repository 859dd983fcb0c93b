"""The agent's reports to the leader: AWS notices, and a farewell message after leaving the swarm.

Rule: encrypt all reports with the join key, because the leader accepts no other key. Obey an order
to leave only if it can be decrypted with our leader's key and names this cluster and instance.
"""

import secrets
from typing import Final

from nacl.public import PrivateKey

from agent.join_request import Send
from agent.model import StandingNotice
from runtime import clock
from runtime.errors import RefusedError
from runtime.logs import scrub
from wire import keys
from wire.instance import InstanceFacts
from wire.messages import Farewell, Leave, MalformedMessage, Notice
from wire.sealing import open_reply, public_key, seal_request
from wire.user_data import UserData

_REASON_CHARACTERS: Final = 200


async def report_notice(
    user_data: UserData,
    facts: InstanceFacts,
    standing: StandingNotice,
    *,
    key: PrivateKey,
    send: Send,
) -> str:
    """Report a notice once, wait for an order to leave, and return the reason given in the order.

    Errors raised by `send` are not caught.

    Raises:
        RefusedError: if the reply is not a valid order for this instance.
    """
    notice = standing.notice
    report = Notice(
        cluster=user_data.cluster,
        instance=facts.instance,
        notice=notice.kind,
        action=notice.action,
        effective=notice.effective,
        seen=standing.first_seen + clock.step(),
        reply=(name := secrets.token_hex(16)),
        event=notice.event,
    )
    leaders = [public_key(text) for text in user_data.leader_keys]
    sealed = seal_request(report, sender=key, leader=leaders[0])
    answer = await send(user_data, name, sealed, keys.NOTICE_WAIT.total_seconds())
    try:
        order = open_reply(answer, asker=key, leaders=leaders)
    except MalformedMessage as exc:
        raise RefusedError(f"the reply to a notice is not from our leader: {exc}") from exc
    match order:
        case Leave(cluster=user_data.cluster, instance=facts.instance, reason=reason):
            return scrub(reason)
        case _:
            raise RefusedError(f"the reply to a notice is a {order.kind} that is not for us")


def sealed_farewell(
    user_data: UserData, facts: InstanceFacts, *, node: str, reason: str, key: PrivateKey
) -> bytes:
    """Return a farewell message from this instance, encrypted for the leader."""
    message = Farewell(
        cluster=user_data.cluster,
        instance=facts.instance,
        node=node,
        reason=reason[:_REASON_CHARACTERS],
        at=clock.now(),
    )
    return seal_request(message, sender=key, leader=public_key(user_data.leader_keys[0]))
