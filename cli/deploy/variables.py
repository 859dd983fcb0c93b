"""What the stack files are told: the lines of .env, and what follows from them. Pure.

Rule: a variable that follows from others is set here alone, whatever .env says, so that two of
them never contradict each other.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

_SERVERS: Final = {
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "production": "https://acme-v02.api.letsencrypt.org/directory",
}
_GATEWAYS: Final = {"simulator": "http://cp_simulator:5000", "gateway": "https://cp_gateway:5000"}
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_DIGITS: Final = 12


def complete(told: Mapping[str, str], *, users: bytes | None = None) -> dict[str, str]:
    """All variables; `users` is what the file of operators holds, if it can be seen.

    Raises:
        ValueError: a sentence for each that is wrong.
    """
    wrong: list[str] = []
    acme = told.get("ACME") or "off"
    gateway = told.get("GATEWAY") or "simulator"
    domain = told.get("DOMAIN", "")
    if acme not in {"off", *_SERVERS}:
        wrong.append(f"ACME is {acme!r}: write off, staging or production")
    elif acme != "off":
        if not told.get("ACME_EMAIL"):
            wrong.append("ACME_EMAIL is needed: who is told when a certificate runs out")
        if domain == "localhost":
            wrong.append("nobody certifies localhost: set ACME=off, or DOMAIN to a real one")
    if gateway not in _GATEWAYS:
        wrong.append(f"GATEWAY is {gateway!r}: write simulator or gateway")
    elif gateway == "gateway":
        is_known = told.get("GATEWAY_CA_FILE") or told.get("GATEWAY_VERIFY")
        if not is_known:
            wrong.append("GATEWAY=gateway needs GATEWAY_CA_FILE, or GATEWAY_VERIFY=false")
    if domain and not _DOMAIN.fullmatch(domain):
        wrong.append(f"DOMAIN is {domain!r}: write it in small letters, without http://")
    if wrong:
        raise ValueError("\n".join(wrong))
    has_tls = acme != "off"
    return dict(told) | {
        "ACME": acme,
        "ACME_SERVER": told.get("ACME_SERVER") or _SERVERS.get(acme, ""),
        "TLS": "1" if has_tls else "",
        "HTTPS": "true" if has_tls else "false",
        "SCHEME": "https" if has_tls else "http",
        "ENTRYPOINT": "websecure" if has_tls else "web",
        "GATEWAY": gateway,
        "GATEWAY_URL": _GATEWAYS[gateway],
        "TEST": "1" if told.get("TEST_BUILD", "").lower() in _TRUE else "",
        "USERS_DIGEST": "" if users is None else hashlib.sha256(users).hexdigest()[:_DIGITS],
    }
