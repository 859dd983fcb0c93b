"""One question to the leader: made, sealed, sent, and its reply checked.

Rule: a reply counts only if our own leader's key opens it and it names this cluster, this
nonce, this instance and the role asked for, and is not over. Everything else is no answer.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from nacl.public import PrivateKey

from agent.events import AskFailed, Denied, Event, Granted
from agent.model import Ticket
from agent.signing import Credentials, sign
from runtime import clock
from runtime.errors import ClusterError
from wire import proof
from wire.instance import InstanceFacts
from wire.messages import (
    AnyMessage,
    AwsProof,
    Denial,
    Grant,
    JoinRequest,
    MalformedMessage,
    PasswordClaim,
    Role,
)
from wire.sealing import open_reply, private_text, public_key, public_text, seal_request
from wire.user_data import UserData

_REPLY_SECONDS: Final = 10.0

Send = Callable[[UserData, str, bytes, float], Awaitable[bytes]]
"""(user data, reply name, sealed request, seconds to wait) → sealed reply."""


async def ask(
    told: UserData,
    facts: InstanceFacts,
    *,
    role: Role,
    offset: timedelta,
    credentials: Callable[[], Awaitable[Credentials]],
    send: Send,
) -> Event:
    """Ask once; whatever goes wrong comes back as an event."""
    own = PrivateKey.generate()
    try:
        at = clock.now() + offset
        nonce = secrets.token_hex(16)
        request = JoinRequest(
            cluster=told.cluster,
            nonce=nonce,
            reply=secrets.token_hex(16),
            role=role,
            issued=at,
            identity=(
                PasswordClaim(name=facts.instance, address=facts.address)
                if told.identity == "password"
                else _proof(await credentials(), told, facts, nonce=nonce, own=own, at=at)
            ),
        )
        # Of two keys during a change either will do: the leader answers with the one we used.
        leaders = [public_key(text) for text in told.leader_keys]
        sealed = seal_request(request, sender=own, leader=leaders[0])
        answer = await send(told, request.reply, sealed, _REPLY_SECONDS)
        reply = open_reply(answer, asker=own, leaders=leaders)
    except ClusterError as exc:
        return AskFailed(clock.now(), str(exc))
    except MalformedMessage as exc:
        return AskFailed(clock.now(), f"the reply is not from our leader: {exc}")
    return _judge(reply, request, facts, offset=offset, own=own)


def _proof(
    credentials: Credentials,
    told: UserData,
    facts: InstanceFacts,
    *,
    nonce: str,
    own: PrivateKey,
    at: datetime,
) -> AwsProof:
    return sign(
        credentials,
        region=facts.region,
        url=told.sts_endpoint or proof.endpoint(facts.region),
        cluster=told.cluster,
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )


def _judge(
    reply: AnyMessage,
    request: JoinRequest,
    facts: InstanceFacts,
    *,
    offset: timedelta,
    own: PrivateKey,
) -> Event:
    now = clock.now()
    match reply:
        case Grant(cluster=request.cluster, nonce=request.nonce, role=request.role) as grant:
            if grant.instance != facts.instance:
                return AskFailed(now, f"the leader takes us for {grant.instance}")
            if grant.expires <= now + offset:
                return AskFailed(now, "the grant came too late")
            ticket = Ticket(
                grant.token.get_secret_value(),
                grant.managers,
                grant.availability,
                private_text(own),
            )
            return Granted(now, ticket)
        case Denial(cluster=request.cluster, nonce=request.nonce) as denial:
            return Denied(
                now,
                denial.code,
                timedelta(seconds=denial.retry_after_seconds),
                denial.leader_time - now,
            )
        case _:
            return AskFailed(now, f"the reply is a {reply.kind} to something else")
