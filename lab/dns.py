"""The lab's DNS server, which resolves instance names and all names that the host can resolve.

Rule: the server always replies quickly. If the host's resolver reports that a name does not exist,
the reply is NXDOMAIN. If the host's resolver does not respond, the reply is REFUSED. Without a
reply, an engine that looks for an image on Docker Hub would wait for ten seconds before using its
local image.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Final, cast

from lab.host import LabError
from lab.places import REGION
from runtime import clock

PORT: Final = 53
DOMAIN: Final = f"{REGION}.compute.internal"
PATIENCE_SECONDS: Final = 1.0
"""How long the host's own resolver may take to look up a name."""
_SILENT_SECONDS: Final = 30.0
"""How long the server does not use the host's resolver after a time-out."""
_TTL_SECONDS: Final = 60
_INTERNET: Final = 1
_NAME_OF_QUESTION: Final = b"\xc0\x0c"
_NO_ADDRESS: Final = frozenset({socket.EAI_NODATA, socket.EAI_ADDRFAMILY})


class Rcode(IntEnum):
    """A DNS response code."""

    NO_ERROR = 0
    NO_SUCH_NAME = 3
    REFUSED = 5


class Kind(IntEnum):
    """The DNS record types that this server supports."""

    A = 1
    AAAA = 28


_FAMILIES: Final = {Kind.A: socket.AF_INET, Kind.AAAA: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Question:
    """The question in a DNS query."""

    number: int
    name: str
    kind: int
    raw: bytes
    """The question section in wire format, which the reply repeats."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a DNS question: a response code and the name's addresses, if any."""

    rcode: Rcode
    addresses: tuple[str, ...] = ()


def parse(datagram: bytes) -> Question | None:
    """Return the first question in a datagram, or None if the datagram is not a valid query."""
    if len(datagram) < 17 or datagram[2] & 0x80:
        return None
    at, labels = 12, []
    while at < len(datagram) and (length := datagram[at]):
        if length > 63:
            return None
        labels.append(datagram[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    end = at + 5
    if end > len(datagram):
        return None
    kind = int.from_bytes(datagram[at + 1 : at + 3], "big")
    number = int.from_bytes(datagram[:2], "big")
    return Question(number, ".".join(labels).lower(), kind, datagram[12:end])


def reply(question: Question, answer: Answer) -> bytes:
    """Return the datagram that answers a question."""
    flags = 0x8180 | answer.rcode
    counts = (1, len(answer.addresses), 0, 0)
    head = b"".join(value.to_bytes(2, "big") for value in (question.number, flags, *counts))
    records = b""
    for text in answer.addresses:
        packed = ip_address(text).packed
        records += _NAME_OF_QUESTION
        records += question.kind.to_bytes(2, "big") + _INTERNET.to_bytes(2, "big")
        records += _TTL_SECONDS.to_bytes(4, "big") + len(packed).to_bytes(2, "big") + packed
    return head + question.raw + records


def instance_address(name: str, network: IPv4Network) -> str | None:
    """Return the address in an instance's host name, or None for any other name.

    Instance names look like `ip-10-98-0-4`, with or without the domain.
    """
    host = name.removesuffix(f".{DOMAIN}")
    if not host.startswith("ip-"):
        return None
    try:
        address = IPv4Address(host.removeprefix("ip-").replace("-", "."))
    except ValueError:
        return None
    return str(address) if address in network else None


Ask = Callable[[str, Kind], Answer]
"""Looks up a name with the host's own resolver; may block."""


class Resolver(asyncio.DatagramProtocol):
    """The DNS server; call `serving` to start it."""

    def __init__(self, network: IPv4Network, ask: Ask, patience: float) -> None:
        self._network = network
        self._ask = ask
        self._patience = patience
        self._threads = ThreadPoolExecutor(4, "resolver")
        self._silent_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # asyncio passes a DatagramTransport, although the annotation is wider.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a query; ignore any other datagram."""
        if (question := parse(data)) is not None:
            task = asyncio.create_task(self._answer(question, addr), name="a name")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: Question, address: tuple[str, int]) -> None:
        answer = await self.look_up(question)
        self._transport.sendto(reply(question, answer), address)

    async def look_up(self, question: Question) -> Answer:
        """Return the answer to a DNS question."""
        if question.kind not in _FAMILIES:
            return Answer(Rcode.REFUSED)
        if (address := instance_address(question.name, self._network)) is not None:
            return Answer(Rcode.NO_ERROR, (address,) if question.kind == Kind.A else ())
        if question.name.endswith(f".{DOMAIN}"):
            return Answer(Rcode.NO_SUCH_NAME)
        if clock.monotonic() < self._silent_until:
            return Answer(Rcode.REFUSED)
        asking = asyncio.get_running_loop().run_in_executor(
            self._threads, self._ask, question.name, Kind(question.kind)
        )
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(asking)
        except TimeoutError:
            self._silent_until = clock.monotonic() + _SILENT_SECONDS
            return Answer(Rcode.REFUSED)

    def close(self) -> None:
        """Stop the server; a thread that is waiting for the host's resolver may finish later."""
        self._transport.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def ask_host(name: str, kind: Kind) -> Answer:
    """Look up a name with this host's resolver, which also uses /etc/hosts."""
    try:
        entries = socket.getaddrinfo(name, None, _FAMILIES[kind], socket.SOCK_STREAM)
    except socket.gaierror as exc:
        if exc.errno in _NO_ADDRESS:
            return Answer(Rcode.NO_ERROR)
        return Answer(Rcode.NO_SUCH_NAME if exc.errno == socket.EAI_NONAME else Rcode.REFUSED)
    except UnicodeError:
        return Answer(Rcode.NO_SUCH_NAME)
    return Answer(Rcode.NO_ERROR, tuple(str(entry[4][0]) for entry in entries))


@contextlib.asynccontextmanager
async def serving(
    network: IPv4Network,
    address: str,
    port: int = PORT,
    *,
    ask: Ask = ask_host,
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[int]:
    """Run the DNS server at an address for the duration of a `with` block; yield its port.

    Port 0 selects a free port. The server resolves the host names of instances in `network`.

    Raises:
        LabError: if the port cannot be used, for example because another DNS server is using it.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, resolver = await loop.create_datagram_endpoint(
            lambda: Resolver(network, ask, patience), local_addr=(address, port)
        )
    except OSError as exc:
        raise LabError(
            f"could not start the lab's DNS server at {address}:{port} ({exc.strerror}): "
            "configure this host's DNS server to listen only on the host's own addresses"
        ) from exc
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        resolver.close()
