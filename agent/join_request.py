"""Requests a join token from the leader and checks the reply.

Rule: accept a reply only if it can be decrypted with our leader's key and contains our cluster's
name and our nonce. A grant must also contain our instance id and role, and must not have expired.
Treat any other reply as a failed request.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from nacl.public import PrivateKey

from agent.events import Denied, Event, Granted, RequestFailed
from agent.model import Ticket
from agent.signing import Credentials, sign
from runtime import clock
from runtime.errors import ClusterError
from runtime.logs import scrub
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
from wire.stamps import stamped_nonce
from wire.user_data import UserData

_REPLY_SECONDS: Final = 10.0
_NAME_CHARACTERS: Final = 40

Send = Callable[[UserData, str, bytes, float], Awaitable[bytes]]
"""Takes the user data, the reply's name, the sealed request and the number of seconds to wait, and
returns the sealed reply."""


async def request_token(
    user_data: UserData,
    facts: InstanceFacts,
    *,
    role: Role,
    offset: timedelta,
    credentials: Callable[[], Awaitable[Credentials]],
    send: Send,
) -> Event:
    """Request a token once, and return a `Granted`, `Denied` or `RequestFailed` event.

    `offset` is the leader's time minus ours.
    """
    own = PrivateKey.generate()
    try:
        at = clock.now() + offset
        nonce = secrets.token_hex(16)
        request = JoinRequest(
            cluster=user_data.cluster,
            nonce=nonce,
            reply=secrets.token_hex(16),
            role=role,
            issued=at,
            identity=(
                PasswordClaim(name=facts.instance, address=facts.address)
                if user_data.identity == "password"
                else _proof(await credentials(), user_data, facts, nonce=nonce, own=own, at=at)
            ),
        )
        # During a key change, either key works: the leader replies with the key that we used.
        leaders = [public_key(text) for text in user_data.leader_keys]
        nonce_of_box = stamped_nonce(own.public_key, at)
        sealed = seal_request(request, sender=own, leader=leaders[0], nonce=nonce_of_box)
        answer = await send(user_data, request.reply, sealed, _REPLY_SECONDS)
        reply = open_reply(answer, asker=own, leaders=leaders)
    except ClusterError as exc:
        return RequestFailed(clock.now(), str(exc))
    except MalformedMessage as exc:
        return RequestFailed(clock.now(), f"the reply is not from our leader: {exc}")
    return _checked(reply, request, facts, offset=offset, own=own)


def _proof(
    credentials: Credentials,
    user_data: UserData,
    facts: InstanceFacts,
    *,
    nonce: str,
    own: PrivateKey,
    at: datetime,
) -> AwsProof:
    return sign(
        credentials,
        region=facts.region,
        url=user_data.sts_endpoint or proof.endpoint(facts.region),
        cluster=user_data.cluster,
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )


def _checked(
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
                name = scrub(grant.instance)[:_NAME_CHARACTERS]
                return RequestFailed(now, f"the grant is for another instance, {name}")
            if grant.expires <= now + offset:
                return RequestFailed(now, "the grant had already expired when it arrived")
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
                clock.step(),
            )
        case _:
            return RequestFailed(
                now, f"the reply is a {reply.kind} that does not match our request"
            )
