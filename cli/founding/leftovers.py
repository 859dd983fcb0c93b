"""Decides what `spotswarm init` may do with the secrets that it finds in a store.

`init` writes the operator's secrets first and the leader's last. Rule: once the leader's secrets
are complete, a leader may use them, so they are never replaced. Until then nobody can have used any
of the secrets, and a second `init` replaces what an interrupted one left. It keeps the CA's key.
This module does no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cli.founding.location import AGENT_FILE
from wire.cluster_secrets import CA_KEY, ClusterSecrets
from wire.messages import MalformedMessage


class Founding(Enum):
    """How far an earlier `init` came."""

    NONE = auto()
    INTERRUPTED = auto()
    """No leader can have started. Another `init` may go on."""
    WITHOUT_OPERATOR = auto()
    """A leader may run, but the operator's secrets are missing. Nothing may be replaced."""
    COMPLETE = auto()


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What an earlier `init` left in the store, and the CA's key if it is there."""

    founding: Founding
    ca_key: ec.EllipticCurvePrivateKey | None = None


def leftovers(leader: Mapping[str, str], operator: Mapping[str, str]) -> Leftovers:
    """Return what an earlier `init` left, from the files of the two folders."""
    if not leader and not operator:
        return Leftovers(Founding.NONE)
    if not _is_complete(leader):
        return Leftovers(Founding.INTERRUPTED, _key(operator.get(CA_KEY, "")))
    if all(operator.get(name, "").strip() for name in (CA_KEY, AGENT_FILE)):
        return Leftovers(Founding.COMPLETE)
    return Leftovers(Founding.WITHOUT_OPERATOR)


def _is_complete(leader: Mapping[str, str]) -> bool:
    # A file that was created and not written counts as missing.
    files = {name: text for name, text in leader.items() if text.strip()}
    try:
        ClusterSecrets.from_files(files)
    except MalformedMessage:
        return False
    return True


def _key(pem: str) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
