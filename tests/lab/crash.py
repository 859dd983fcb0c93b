"""Runs inside a member of the swarm: sends messages that ended the leader in the past.

It has what a container that reaches the metadata service has: the user data, and here even the
node's own join key. It prints how many messages it sent.
"""

import asyncio
import json
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from nacl.public import Box, PrivateKey
from pydantic import SecretStr

from agent.edges import broker
from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.signing import Credentials, sign
from wire import user_data
from wire.messages import JoinRequest, Notice, Role, dump
from wire.sealing import public_key, public_text

TOLD = user_data.parse(Path("/root/user-data").read_text())
LEADER = public_key(TOLD.leader_keys[0])


def sealed(text, key):
    return b"\x01" + bytes(key.public_key) + bytes(Box(key, LEADER).encrypt(text))


def request(facts, own):
    nonce, at = secrets.token_hex(16), datetime.now(UTC)
    own_credentials = Credentials("ASIAEXAMPLEEXAMPLE00", SecretStr("s"), SecretStr("t"), at)
    proof = sign(
        own_credentials,
        region=facts.region,
        url=TOLD.sts_endpoint,
        cluster=TOLD.cluster,
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )
    return dump(
        JoinRequest(
            cluster=TOLD.cluster,
            nonce=nonce,
            reply=secrets.token_hex(16),
            role=Role.WORKER,
            issued=at,
            identity=proof,
        )
    )


async def main():
    facts, own = await Metadata().facts(), PrivateKey.generate()
    join = LocalFiles().join_key()
    assert join is not None
    honest = request(facts, own)
    notice = dump(
        Notice(
            cluster=TOLD.cluster,
            instance=facts.instance,
            notice="interruption",
            seen=datetime.now(UTC),
        )
    )
    messages = [
        sealed(re.sub(rb'"date":"\w+"', b'"date":"20269999T999999Z"', honest), own),
        sealed(re.sub(rb'"issued":"[^"]+"', b'"issued":"9999-12-31T23:59:59Z"', honest), own),
        sealed(re.sub(rb'"seen":"[^"]+"', b'"seen":"9999-12-31T23:59:59Z"', notice), join),
        sealed(re.sub(rb'"seen":"[^"]+"', b'"seen":"0001-01-01T00:00:00+23:59"', notice), join),
        sealed(json.dumps({"kind": "notice", "instance": None}).encode(), join),
        sealed(b"[" * 4000, join),
        b"\x01" + bytes(100),
    ]
    for message in messages:
        # The members' list, and the list of join requests.
        await broker.push(TOLD, message)
        with suppress(broker.NoReplyError):
            await broker.ask(TOLD, secrets.token_hex(16), message, 0.1)
    return 2 * len(messages)


print(asyncio.run(main()))
