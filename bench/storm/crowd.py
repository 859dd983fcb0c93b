"""Runs many simulated agents in one process: each asks for a token until it has one.

Every agent does what the real one does: a new key and a new proof for each request, a connection of
its own, three round trips, ten seconds of patience, and longer and longer pauses. Only the client
library is missing, because thousands of copies of it would keep this host busy and not the leader.
With `--floor`, a message has the same size but no content, and any reply will do.
"""

import argparse
import asyncio
import json
import resource
import secrets
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey

from agent.signing import sign
from bench.storm import people
from runtime import clock
from runtime.backoff import backoff
from wire import keys, user_data
from wire.messages import Denial, Grant, JoinRequest, Role
from wire.sealing import open_reply, public_key, public_text, seal_request
from wire.stamps import stamped_nonce
from wire.user_data import UserData

_CONNECT_SECONDS: Final = 8.0
_REPLY_SECONDS: Final = 10.0
_FLOOR_BYTES: Final = 1900
"""About the size of a sealed request."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that is ready to be sent, and the key that opens its reply."""

    reply: str
    sealed: bytes
    own: PrivateKey | None


@dataclass(slots=True)
class Outcome:
    """How one agent fared."""

    seconds: float | None = None
    """From the start of the storm until its grant; None if it got none."""
    attempts: int = 0
    problem: str = ""


def prepare(shared: UserData, number: int, *, is_floor: bool) -> Asking:
    """Make a request with a fresh proof."""
    reply = secrets.token_hex(16)
    if is_floor:
        return Asking(reply, reply.encode().ljust(_FLOOR_BYTES, b"."), None)
    own, nonce, at = PrivateKey.generate(), secrets.token_hex(16), clock.now()
    proof = sign(
        people.credentials_of(number),
        region=people.REGION,
        url=shared.sts_endpoint or "",
        cluster=people.CLUSTER,
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )
    request = JoinRequest(
        cluster=people.CLUSTER,
        nonce=nonce,
        reply=reply,
        role=Role.WORKER,
        issued=at,
        identity=proof,
    )
    leader = public_key(shared.leader_keys[0])
    stamp = stamped_nonce(own.public_key, at)
    return Asking(reply, seal_request(request, sender=own, leader=leader, nonce=stamp), own)


class Crowd:
    """All agents of this process."""

    def __init__(self, shared: UserData, *, is_floor: bool, within: float) -> None:
        self._shared = shared
        self._is_floor = is_floor
        self._within = within
        self._port = int(shared.broker.rpartition(":")[2])
        # All share one context, because making one takes a millisecond.
        self._tls = ssl.create_default_context(cadata=shared.ca)
        # A real agent prepares with a CPU of its own. Here, it must not stop all the others.
        self._preparing = asyncio.Semaphore(1)
        self._leaders = [public_key(text) for text in shared.leader_keys]

    async def run(self, first: int, asking: list[Asking]) -> list[Outcome]:
        """Let all agents ask at once; return when each has a grant, or the time is over."""
        started = clock.monotonic()
        return await asyncio.gather(
            *(self._join(first + index, ready, started) for index, ready in enumerate(asking))
        )

    async def _join(self, number: int, ready: Asking, started: float) -> Outcome:
        outcome = Outcome()
        delays = backoff(first=1.0)
        while clock.monotonic() - started < self._within:
            outcome.attempts += 1
            try:
                answer = await self._ask(ready)
                outcome.problem = self._checked(answer, ready)
            except (OSError, TimeoutError, ValueError, EOFError) as exc:
                outcome.problem = type(exc).__name__
            if not outcome.problem:
                outcome.seconds = clock.monotonic() - started
                break
            await asyncio.sleep(next(delays))
            async with self._preparing:
                ready = await asyncio.to_thread(
                    prepare, self._shared, number, is_floor=self._is_floor
                )
        return outcome

    def _checked(self, answer: bytes | None, ready: Asking) -> str:
        """Return what is wrong with a reply, or an empty string if it is a grant for this agent."""
        if answer is None:
            return "no reply"
        if ready.own is None:
            return ""
        match open_reply(answer, asker=ready.own, leaders=self._leaders):
            case Grant():
                return ""
            case Denial(code=code):
                return str(code)
        return "an unexpected reply"

    async def _ask(self, ready: Asking) -> bytes | None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._tls, server_hostname="127.0.0.1"
            )
        try:
            async with asyncio.timeout(_REPLY_SECONDS + 2):
                password = self._shared.password.get_secret_value()
                await _call(reader, writer, b"AUTH", b"agent", password.encode())
                requests = keys.requests(people.CLUSTER).encode()
                await _call(reader, writer, b"RPUSH", requests, ready.sealed)
                name = keys.reply(people.CLUSTER, ready.reply).encode()
                return await _call(reader, writer, b"BLPOP", name, b"%d" % _REPLY_SECONDS)
        finally:
            writer.close()


async def _call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *parts: bytes
) -> bytes | None:
    """Make one call of Redis; return the last element of an array, or None for an empty one."""
    writer.write(b"*%d\r\n" % len(parts))
    for part in parts:
        writer.write(b"$%d\r\n%b\r\n" % (len(part), part))
    line = await reader.readuntil(b"\n")
    if line.startswith((b"+", b":")):
        return line
    if line.startswith(b"*-1"):
        return None
    if not line.startswith(b"*"):
        raise ValueError(line.decode(errors="replace").strip())
    value = b""
    for _ in range(int(line[1:])):
        size = int((await reader.readuntil(b"\n"))[1:])
        value = (await reader.readexactly(size + 2))[:-2]
    return value


def main() -> None:
    """Prepare the requests, wait for a line on stdin, ask, and print the outcomes as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm.crowd", description=__doc__)
    parser.add_argument("--user-data", type=Path, required=True)
    parser.add_argument("--first", type=int, required=True, help="number of the first instance")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--within", type=float, required=True, help="seconds until they give up")
    parser.add_argument("--floor", action="store_true")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    shared = user_data.parse(options.user_data.read_text())
    numbers = range(options.first, options.first + options.count)
    asking = [prepare(shared, number, is_floor=options.floor) for number in numbers]
    print(json.dumps({"event": "prepared"}), flush=True)
    sys.stdin.readline()
    crowd = Crowd(shared, is_floor=options.floor, within=options.within)
    outcomes = asyncio.run(crowd.run(options.first, asking))
    rows = [[outcome.seconds, outcome.attempts, outcome.problem] for outcome in outcomes]
    print(json.dumps({"outcomes": rows}), flush=True)


if __name__ == "__main__":
    main()
