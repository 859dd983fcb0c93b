"""Runs inside a machine: an asker that cheats, made of the agent's own parts.

Usage: stranger.py TRICK; prints the denial's code, `granted`, or `silence`.
"""

import asyncio
import json
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nacl.public import PrivateKey
from pydantic import SecretStr

from agent.edges import broker
from agent.edges.metadata import Metadata
from agent.signing import Credentials, sign
from runtime.errors import UnavailableError
from wire import user_data
from wire.messages import Denial, JoinRequest, PasswordClaim, Role
from wire.sealing import open_reply, public_key, public_text, seal_request

TOLD = user_data.parse(Path("/root/user-data").read_text())
CREDENTIALS = json.loads(Path("/root/credentials").read_text())


async def credentials():
    given = CREDENTIALS
    if given is None:
        return await Metadata().credentials()
    return Credentials(
        given["AccessKeyId"],
        SecretStr(given["SecretAccessKey"]),
        SecretStr(given["SessionToken"]),
        datetime.fromisoformat(given["Expiration"]),
    )


def secret(text):
    return SecretStr(text)


async def main(trick):
    told = TOLD
    facts = await Metadata().facts()
    own, leader = PrivateKey.generate(), public_key(told.leader_keys[0])
    at = datetime.now(UTC) - (timedelta(minutes=10) if trick == "old" else timedelta())
    nonce, cluster = secrets.token_hex(16), told.cluster
    region = "us-east-1" if trick == "other-region" else facts.region
    proof = sign(
        await credentials(),
        region=region,
        url=told.sts_endpoint,
        cluster=cluster,
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )
    authorization = proof.authorization.get_secret_value()
    match trick:
        case "other-nonce":
            nonce = secrets.token_hex(16)
        case "other-key":
            own = PrivateKey.generate()
        case "other-cluster":
            cluster = "prod"
        case "other-date":
            later = at + timedelta(seconds=1)
            proof = proof.model_copy(update={"date": later})
        case "other-signature":
            flipped = authorization[:-1] + ("0" if authorization[-1] != "0" else "1")
            proof = proof.model_copy(update={"authorization": secret(flipped)})
        case "other-token":
            token = proof.session_token.get_secret_value()
            proof = proof.model_copy(update={"session_token": secret(token[:-1] + "x")})
        case "unsigned-header":
            without = authorization.replace(";x-spotswarm-nonce", "")
            proof = proof.model_copy(update={"authorization": secret(without)})
        case "password-claim":
            proof = PasswordClaim(name=facts.instance, address=facts.address)
    request = JoinRequest(
        cluster=cluster,
        nonce=nonce,
        reply=secrets.token_hex(16),
        role=Role.WORKER,
        issued=at,
        identity=proof,
    )
    sealed = seal_request(request, sender=own, leader=leader)
    if trick == "altered-box":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    try:
        answer = await broker.ask(told, request.reply, sealed, 8.0)
        if trick == "replay":
            answer = await broker.ask(told, request.reply, sealed, 8.0)
    except UnavailableError:
        return "silence"
    reply = open_reply(answer, asker=own, leaders=[leader])
    return reply.code if isinstance(reply, Denial) else "granted"


print(asyncio.run(main(sys.argv[1])))
