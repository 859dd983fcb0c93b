"""Variables for stack files: some are set in .env, and the rest are derived from those.

Rule: derived variables are set only here. They override variables with the same name in .env.
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


def complete(values: Mapping[str, str], *, users: bytes | None = None) -> dict[str, str]:
    """Return all variables.

    `users` is the content of the operators' password file, or None if there is no such file.

    Raises:
        ValueError: if a value is invalid or missing. The message has one line per problem.
    """
    errors: list[str] = []
    acme = values.get("ACME") or "off"
    gateway = values.get("GATEWAY") or "simulator"
    domain = values.get("DOMAIN", "")
    if acme not in {"off", *_SERVERS}:
        errors.append(f"ACME is {acme!r}; set it to off, staging or production")
    elif acme != "off":
        if not values.get("ACME_EMAIL"):
            errors.append(
                "ACME_EMAIL is not set; Let's Encrypt needs an address for warnings about expiring"
                " certificates"
            )
        if domain == "localhost":
            errors.append(
                "localhost cannot get a certificate; set ACME=off, or set DOMAIN to a public name"
            )
    if gateway not in _GATEWAYS:
        errors.append(f"GATEWAY is {gateway!r}; set it to simulator or gateway")
    elif gateway == "gateway":
        is_verifiable = values.get("GATEWAY_CA_FILE") or values.get("GATEWAY_VERIFY")
        if not is_verifiable:
            errors.append("GATEWAY=gateway requires GATEWAY_CA_FILE or GATEWAY_VERIFY=false")
    if domain and not _DOMAIN.fullmatch(domain):
        errors.append(f"DOMAIN is {domain!r}; use lower-case letters and omit http://")
    if errors:
        raise ValueError("\n".join(errors))
    has_tls = acme != "off"
    return dict(values) | {
        "ACME": acme,
        "ACME_SERVER": values.get("ACME_SERVER") or _SERVERS.get(acme, ""),
        "TLS": "1" if has_tls else "",
        "HTTPS": "true" if has_tls else "false",
        "SCHEME": "https" if has_tls else "http",
        "ENTRYPOINT": "websecure" if has_tls else "web",
        "GATEWAY": gateway,
        "GATEWAY_URL": _GATEWAYS[gateway],
        "TEST": "1" if values.get("TEST_BUILD", "").lower() in _TRUE else "",
        "USERS_DIGEST": "" if users is None else hashlib.sha256(users).hexdigest()[:_DIGITS],
    }
