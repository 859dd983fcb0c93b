"""Floods the broker with junk at a set rate, over a few connections, as fast as one program can.

Eight of ten messages are random bytes of a request's size, different each time. One of ten is a
real box for another cluster, and one a well-formed request with a wrong signature; both come from
a pool of 400 and repeat. Reads a line on stdin to stop, and prints how many messages it sent.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey

from agent.signing import sign
from bench.storm import people
from runtime import clock
from wire import keys, user_data
from wire.messages import JoinRequest, Role
from wire.sealing import public_key, public_text, seal_request
from wire.user_data import UserData

_CONNECTIONS: Final = 4
_STEP_SECONDS: Final = 0.02
_POOL: Final = 200
_BYTES: Final = 1900


def _forged(shared: UserData, *, cluster: str, number: int) -> bytes:
    """Return a sealed request whose signature is wrong, without a stamp."""
    own, at = PrivateKey.generate(), clock.now()
    proof = sign(
        people.credentials_of(number),
        region=people.REGION,
        url="https://sts.example.com/",
        cluster=cluster,
        nonce=secrets.token_hex(16),
        key=public_text(own.public_key),
        at=at,
    )
    request = JoinRequest(
        cluster=cluster,
        nonce=secrets.token_hex(16),
        reply=secrets.token_hex(16),
        role=Role.WORKER,
        issued=at,
        identity=proof,
    )
    return seal_request(request, sender=own, leader=public_key(shared.leader_keys[0]))


async def _flood(shared: UserData, rate: int) -> tuple[int, float]:
    pool = [_forged(shared, cluster="another", number=number) for number in range(_POOL)]
    pool += [_forged(shared, cluster=people.CLUSTER, number=number) for number in range(_POOL)]
    tls = ssl.create_default_context(cadata=shared.ca)
    port = int(shared.broker.rpartition(":")[2])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    print(json.dumps({"event": "prepared"}), flush=True)
    started = clock.monotonic()
    sent = await asyncio.gather(
        *(
            _push(shared, port, tls, pool, rate=rate / _CONNECTIONS, stop=stop)
            for _ in range(_CONNECTIONS)
        )
    )
    return sum(sent), clock.monotonic() - started


async def _push(
    shared: UserData,
    port: int,
    tls: ssl.SSLContext,
    pool: list[bytes],
    *,
    rate: float,
    stop: asyncio.Event,
) -> int:
    """Push at this rate until stopped; connect again when the leader closes the connection."""
    sent, started = 0, clock.monotonic()
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1"
            )
        except OSError:
            await asyncio.sleep(_STEP_SECONDS)
            continue
        answers = asyncio.create_task(_ignore(reader))
        writer.write(_command(b"AUTH", b"agent", shared.password.get_secret_value().encode()))
        while not (stop.is_set() or answers.done()):
            behind = int((clock.monotonic() - started) * rate) - sent
            for _ in range(behind):
                writer.write(_command(b"RPUSH", _LIST, _message(pool)))
            sent += behind
            with suppress(OSError):
                await writer.drain()
            await asyncio.sleep(_STEP_SECONDS)
        writer.close()
        await answers
    return sent


async def _ignore(reader: asyncio.StreamReader) -> None:
    """Read Redis's answers, which do not matter, until the connection ends."""
    with suppress(OSError):
        while await reader.read(1 << 20):
            continue


_LIST: Final = keys.requests(people.CLUSTER).encode()


def _message(pool: list[bytes]) -> bytes:
    if random.random() < 0.8:
        return b"\x01" + os.urandom(_BYTES)
    return random.choice(pool)


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def main() -> None:
    """Flood the broker until a line arrives on stdin."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm.junk", description=__doc__)
    parser.add_argument("--user-data", type=Path, required=True)
    parser.add_argument("--rate", type=int, required=True, help="messages per second")
    options = parser.parse_args()
    shared = user_data.parse(options.user_data.read_text())
    sent, seconds = asyncio.run(_flood(shared, options.rate))
    print(json.dumps({"sent": sent, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
