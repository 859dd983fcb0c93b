"""Verifying the gateway's self-signed certificate, over real TLS."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ports import free_port

from runtime import clock
from runtime.errors import UnavailableError
from services.peers.gateway import Gateway, LoginError, trust


@dataclass
class Secure:
    """A gateway with a self-signed certificate."""

    url: str
    certificate: Path


def self_signed(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate as Java's keytool makes it: self-signed, for none of our host names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, private = directory / f"{name}.pem", directory / f"{name}.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Secure]:
    async def status(_request: web.Request) -> web.Response:
        return web.json_response({"authenticated": True, "connected": True})

    async def login(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/sso/Login")

    certificate, private = self_signed(tmp_path, "somebody-else")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, private)
    app = web.Application()
    app.router.add_post("/v1/api/iserver/auth/status", status)
    app.router.add_post("/v1/api/tickle", login)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    yield Secure(f"https://127.0.0.1:{port}", certificate)
    await runner.cleanup()


async def test_an_unknown_certificate_is_refused(
    gateway: Secure, session: aiohttp.ClientSession
) -> None:
    client = Gateway(session, gateway.url, tls=trust(ca=None, is_verified=True))
    with pytest.raises(UnavailableError, match="did not respond"):
        await client.auth_status()


async def test_the_configured_certificate_is_trusted_whatever_its_name(
    gateway: Secure, session: aiohttp.ClientSession
) -> None:
    client = Gateway(session, gateway.url, tls=trust(ca=gateway.certificate, is_verified=True))
    assert (await client.auth_status()).authenticated
    with pytest.raises(LoginError):
        await client.tickle()


async def test_another_gateways_certificate_is_refused(
    gateway: Secure, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    other, _ = self_signed(tmp_path, "impostor")
    client = Gateway(session, gateway.url, tls=trust(ca=other, is_verified=True))
    with pytest.raises(UnavailableError):
        await client.auth_status()


async def test_not_verifying_logs_a_warning(
    gateway: Secure, session: aiohttp.ClientSession
) -> None:
    with structlog.testing.capture_logs() as entries:
        client = Gateway(session, gateway.url, tls=trust(ca=None, is_verified=False))
    assert [entry["log_level"] for entry in entries] == ["warning"]
    assert (await client.auth_status()).connected
