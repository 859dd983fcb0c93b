"""Create a cluster's secrets: a CA, a broker certificate, keys, passwords and user data.

Rule: the certificates must pass Python 3.13's strict verification. Therefore, each certificate
specifies its key usage and key identifiers. The broker's certificate also allows server
authentication.
"""

import ipaddress
import secrets as random_bits
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from nacl.public import PrivateKey
from pydantic import SecretStr

from wire.cluster_secrets import ClusterSecrets
from wire.sealing import private_text, public_text
from wire.user_data import FIRST_LINE, parse

_CA_LIFETIME: Final = timedelta(days=3650)
_BACKDATED: Final = timedelta(hours=1)
"""Certificates are backdated so that an instance with a slightly slow clock accepts them."""


@dataclass(frozen=True, slots=True)
class NewCluster:
    """The secrets and user data for a new cluster."""

    leader: ClusterSecrets
    """The leader's secrets."""
    ca_key: str
    """The CA's private key, in PEM format. Only the operator needs this key."""
    agent: dict[str, Any]
    """The user data that all agents share."""


def create(
    *,
    cluster: str,
    names: list[str],
    addresses: list[str],
    port: int,
    days: int,
    at: datetime,
    ca_key: ec.EllipticCurvePrivateKey | None = None,
) -> NewCluster:
    """Create all secrets. If `ca_key` is given, it becomes the CA's key.

    The broker's URL uses the first name or, if there is none, the first address.
    """
    ca_key = ca_key or ec.generate_private_key(ec.SECP256R1())
    ca = _authority(cluster, ca_key, at)
    # The leader connects to the broker over loopback.
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in [*names, "localhost"]]
    alternatives += [
        x509.IPAddress(ipaddress.ip_address(text)) for text in [*addresses, "127.0.0.1"]
    ]
    key, certificate = _leaf(cluster, alternatives, ca_key, ca, days=days, at=at)
    leader_key = PrivateKey.generate()
    leader = ClusterSecrets(
        ca=_pem(ca),
        certificate=_pem(certificate),
        certificate_key=SecretStr(_key_pem(key)),
        leader_key=SecretStr(private_text(leader_key)),
        agent_password=SecretStr(random_bits.token_urlsafe(32)),
        leader_password=SecretStr(random_bits.token_urlsafe(32)),
    )
    agent = {
        "cluster": cluster,
        "broker": f"rediss://{(names or addresses)[0]}:{port}",
        "password": leader.agent_password.get_secret_value(),
        "leader_keys": [public_text(leader_key.public_key)],
        "ca": leader.ca,
    }
    return NewCluster(leader, _key_pem(ca_key), agent)


def user_data_text(table: dict[str, Any]) -> str:
    """Return the user data as the TOML text that an instance receives.

    Raises:
        MalformedMessage: if an agent could not parse the text.
    """
    text = f"{FIRST_LINE}\n{tomli_w.dumps(table, multiline_strings=True)}"
    parse(text)
    return text


def _authority(cluster: str, key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"spotswarm {cluster} CA")])
    builder = _builder(name, name, key.public_key(), _CA_LIFETIME, at)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    return builder.sign(key, hashes.SHA256())


def _leaf(
    cluster: str,
    alternatives: list[x509.GeneralName],
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    *,
    days: int,
    at: datetime,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"spotswarm {cluster} broker")])
    builder = _builder(name, ca.subject, key.public_key(), timedelta(days=days), at)
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
    )
    return key, builder.sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
    at: datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=at - _BACKDATED,
        not_valid_after=at + lifetime,
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
