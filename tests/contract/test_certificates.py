"""The edge's certificate: ordered, renewed and handed on by the stack's own scripts, of a real CA.

The CA is pebble, Let's Encrypt's own for tests; it asks a DNS server of ours for the proof.
"""

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from ports import free_port

SCRIPTS = Path(__file__).parents[2] / "compose" / "scripts"
DOMAIN = "example.org"
SET_RECORD = """#!/bin/sh
# lego's exec provider: present|cleanup NAME VALUE
case $1 in present) way=set-txt ;; *) way=clear-txt ;; esac
exec curl -sf -d "{\\"host\\": \\"$2\\", \\"value\\": \\"$3\\"}" "http://127.0.0.1:PORT/$way"
"""


@dataclass
class Issuer:
    """A CA that runs, and what the scripts have to be told to use it."""

    directory: Path
    server: str
    dns: int
    process: Any = None

    @property
    def store(self) -> Path:
        return self.directory / "store"

    async def order(self, **told: str) -> subprocess.CompletedProcess[str]:
        """Run the writer once."""
        env = {
            "DOMAIN": DOMAIN,
            "ACME_EMAIL": "operator@example.org",
            "ACME_SERVER": self.server,
            "ACME_DNS": "exec",
            "ACME_RESOLVERS": f"127.0.0.1:{self.dns}",
            "ACME_DNS_DISABLE_CP": "1",
            "ACME_ONCE": "1",
            "STORE": str(self.store),
            "LEGO_CA_CERTIFICATES": str(self.directory / "ca.pem"),
            "EXEC_SEQUENCE_INTERVAL": "1",
            "EXEC_PATH": str(self.directory / "set-record"),
            "PATH": os.environ["PATH"],
        } | told
        return await script("acme.sh", env)


async def script(name: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", str(SCRIPTS / name)],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@contextmanager
def running(directory: Path, *command: str, **env: str) -> Iterator[Any]:
    with (directory / "log").open("a") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=directory, env=os.environ | env
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def issuer(tmp_path: Path, eventually: Any) -> AsyncIterator[Issuer]:
    api, management, dns, records = (free_port() for _ in range(4))
    made_with = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pebble -keyout ca.key -out ca.pem"
    await asyncio.to_thread(
        subprocess.run,
        ["openssl", "req", *made_with.split(), "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    told = {
        "listenAddress": f"127.0.0.1:{api}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": "ca.pem",
        "privateKey": "ca.key",
        "httpPort": 1,
        "tlsPort": 1,
    }
    (tmp_path / "pebble.json").write_text(json.dumps({"pebble": told}))
    (tmp_path / "set-record").write_text(SET_RECORD.replace("PORT", str(records)))
    (tmp_path / "set-record").chmod(0o755)
    (tmp_path / "store").mkdir()
    unused = ["-http01=", "-https01=", "-tlsalpn01="]
    with (
        running(
            tmp_path,
            *("pebble-challtestsrv", f"-dns01=127.0.0.1:{dns}"),
            *(f"-management=127.0.0.1:{records}", *unused),
        ),
        running(
            tmp_path,
            *("pebble", "-config=pebble.json", f"-dnsserver=127.0.0.1:{dns}"),
            PEBBLE_VA_NOSLEEP="1",
        ) as pebble,
    ):
        issuer = Issuer(tmp_path, f"https://127.0.0.1:{api}/dir", dns, pebble)

        async def answers() -> bool:
            for port in (api, records):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    return False
                writer.close()
            return True

        await eventually(answers)
        yield issuer


def certificate(path: Path) -> x509.Certificate:
    """The first of a file, which must hold the key it was made for."""
    text = path.read_bytes()
    found = x509.load_pem_x509_certificate(text)
    key = serialization.load_pem_private_key(text[text.index(b"-----BEGIN EC PRIVATE") :], None)
    assert key.public_key() == found.public_key()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    return found


async def test_a_certificate_is_ordered_by_dns_kept_until_it_is_due_and_then_renewed(
    issuer: Issuer,
) -> None:
    ordered = await issuer.order()
    assert ordered.returncode == 0, ordered.stderr + (issuer.directory / "log").read_text()
    first = certificate(issuer.store / "site.pem")
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {DOMAIN, f"*.{DOMAIN}"}
    assert (issuer.store / "site.pem").stat().st_mode & 0o077 == 0

    assert (await issuer.order()).returncode == 0
    assert certificate(issuer.store / "site.pem").serial_number == first.serial_number

    # The test CA's certificates last five years.
    renewed = await issuer.order(ACME_DAYS="4000")
    assert renewed.returncode == 0, renewed.stderr
    assert certificate(issuer.store / "site.pem").serial_number != first.serial_number


async def test_a_ca_that_is_away_leaves_the_certificate_there_is(issuer: Issuer) -> None:
    assert (await issuer.order()).returncode == 0
    before = (issuer.store / "site.pem").read_bytes()
    issuer.process.kill()

    failed = await issuer.order(ACME_DAYS="4000")

    assert failed.returncode != 0
    assert (issuer.store / "site.pem").read_bytes() == before


async def test_another_certificate_is_handed_to_the_ingress_and_the_same_one_is_not(
    tmp_path: Path,
) -> None:
    store, to = tmp_path / "store", tmp_path / "to"
    store.mkdir()
    to.mkdir()
    env = {"FROM": str(store), "TO": str(to), "COPY_ONCE": "1", "PATH": os.environ["PATH"]}
    none = await script("copy-certificates.sh", env)
    assert (none.returncode, none.stdout, list(to.iterdir())) == (0, "", [])

    (store / "site.pem").write_text("one")
    assert (await script("copy-certificates.sh", env)).stdout == "copied the certificate\n"
    assert (to / "site.pem").read_text() == "one"
    assert f"{to}/site.pem" in (to / "certificates.yml").read_text()
    assert (await script("copy-certificates.sh", env)).stdout == ""

    (store / "site.pem").write_text("two")
    assert (await script("copy-certificates.sh", env)).stdout == "copied the certificate\n"
    assert (to / "site.pem").read_text() == "two"
