"""The lab's name server, asked over UDP."""

import asyncio
import socket
import threading
from ipaddress import IPv4Network

import pytest

from lab import dns

NETWORK = IPv4Network("10.98.0.0/24")
NUMBER = b"\x12\x34"
A, AAAA, MX = 1, 28, 15


async def ask(port: int, name: str, kind: int = A) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = NUMBER + bytes.fromhex("01000001000000000000") + labels + b"\0"
    query += kind.to_bytes(2, "big") + b"\0\1"
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, query)
        async with asyncio.timeout(60):
            reply = await loop.sock_recv(sock, 512)
    assert reply[:2] == NUMBER
    return reply


def rcode(reply: bytes) -> int:
    return reply[3] & 0xF


async def test_an_instances_name_is_answered():
    async with dns.serving(NETWORK, "127.0.0.1", 0) as port:
        reply = await ask(port, "ip-10-98-0-7.eu-central-1.compute.internal")

        assert rcode(reply) == dns.Rcode.NO_ERROR
        assert reply.endswith(bytes([10, 98, 0, 7]))


async def test_what_the_host_knows_is_answered():
    async with dns.serving(NETWORK, "127.0.0.1", 0) as port:
        assert (await ask(port, "localhost")).endswith(bytes([127, 0, 0, 1]))


async def test_another_name_of_the_instances_domain_does_not_exist():
    async with dns.serving(NETWORK, "127.0.0.1", 0) as port:
        reply = await ask(port, "hub.example.eu-central-1.compute.internal")

        assert rcode(reply) == dns.Rcode.NO_SUCH_NAME


async def test_other_kinds_of_records_are_refused():
    async with dns.serving(NETWORK, "127.0.0.1", 0) as port:
        assert rcode(await ask(port, "localhost", MX)) == dns.Rcode.REFUSED


async def test_while_the_hosts_resolver_is_silent_names_are_refused_without_asking_it():
    asked = []
    ends = threading.Event()

    def silent(name, kind):
        asked.append(name)
        ends.wait(30)
        return dns.Answer(dns.Rcode.NO_ERROR, ("192.0.2.1",))

    try:
        async with dns.serving(NETWORK, "127.0.0.1", 0, ask=silent, patience=0.05) as port:
            assert rcode(await ask(port, "hub.example")) == dns.Rcode.REFUSED
            assert rcode(await ask(port, "other.example")) == dns.Rcode.REFUSED
            assert rcode(await ask(port, "ip-10-98-0-7")) == dns.Rcode.NO_ERROR
    finally:
        ends.set()
    assert asked == ["hub.example"]


async def test_a_port_that_is_taken_is_said():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(dns.LabError, match="configure this host's DNS server"):
            async with dns.serving(NETWORK, "127.0.0.1", port):
                pass
