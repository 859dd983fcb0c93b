"""Reads from the instance metadata service, using only version 2 (IMDSv2).

We never use version 1, because attackers can trick a process into sending the plain GET requests
that version 1 accepts. Launch instances with `HttpTokens=required` and a hop limit of 1, so that
containers on a bridge network cannot reach the service. Anyone who can reach the service can
impersonate this node. We use the standard library's HTTP client, because importing another HTTP
package would delay the agent's READY signal to systemd.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

import asyncio
import http.client
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from agent.signing import Credentials
from runtime import clock
from runtime.errors import GoneError, UnavailableError
from wire.instance import InstanceFacts
from wire.times import plausible

_HOST: Final = "169.254.169.254"
_SECONDS: Final = 2.0
_TOKEN_LIFETIME: Final = timedelta(hours=6)
_RENEW_BEFORE: Final = timedelta(minutes=5)
_MOST_BYTES: Final = 1024 * 1024


class Metadata:
    """Reads from the metadata service.

    Unless stated otherwise, methods raise UnavailableError if the service returns no valid
    response, and GoneError if a path does not exist.
    """

    def __init__(self, host: str = _HOST, port: int = 80) -> None:
        self._address = (host, port)
        self._token = ""
        self._token_until = 0.0
        self._credentials: Credentials | None = None

    async def facts(self) -> InstanceFacts:
        """Return the instance's id, region, zone, type, life cycle and address."""
        return await asyncio.to_thread(self._facts)

    async def user_data(self) -> str:
        """Return the instance's user data.

        Raises:
            GoneError: if the instance has no user data.
            UnavailableError: if the service returns no valid response.
        """
        return await asyncio.to_thread(self._get, "/latest/user-data")

    async def credentials(self) -> Credentials:
        """Return the instance role's credentials.

        The credentials are cached until shortly before they expire.
        """
        cached = self._credentials
        if cached is None or clock.now() > cached.expires - _RENEW_BEFORE:
            cached = self._credentials = await asyncio.to_thread(self._read_credentials)
        return cached

    async def notices(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        """Return the text at each path under `meta-data/`, or None for a path that does not exist.

        Paths that cannot be read are omitted, so this method raises no errors.
        """
        return await asyncio.to_thread(self._notices, paths)

    def _notices(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        texts: dict[str, str | None] = {}
        for path in paths:
            try:
                texts[path] = self._get(f"/latest/meta-data/{path}")
            except GoneError:
                texts[path] = None
            except UnavailableError:
                continue
        return texts

    def _facts(self) -> InstanceFacts:
        def get(path: str) -> str:
            return self._get(f"/latest/meta-data/{path}")

        return InstanceFacts(
            instance=get("instance-id"),
            region=get("placement/region"),
            zone=get("placement/availability-zone"),
            type=get("instance-type"),
            lifecycle=get("instance-life-cycle"),
            address=get("local-ipv4"),
        )

    def _read_credentials(self) -> Credentials:
        base = "/latest/meta-data/iam/security-credentials/"
        try:
            role = self._get(base).strip()
            text = self._get(base + role)
        except GoneError as exc:
            raise UnavailableError(
                "this instance has no IAM role yet; check its instance profile"
            ) from exc
        try:
            return _credentials(json.loads(text))
        # Do not chain the error, because it may quote the credentials.
        except (LookupError, ValueError, TypeError, ArithmeticError, RecursionError):
            raise UnavailableError(
                f"the role {role[:64]} has no valid credentials: {_code(text)}"
            ) from None

    def _get(self, path: str) -> str:
        if clock.monotonic() > self._token_until:
            self._renew()
        status, text = self._call("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == 401:
            self._renew()
            status, text = self._call("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == 404:
            raise GoneError(f"the metadata service has no {path}")
        if status != 200:
            raise UnavailableError(f"the metadata service returned {status} for {path}")
        return text

    def _renew(self) -> None:
        seconds = int(_TOKEN_LIFETIME.total_seconds())
        header = {"X-aws-ec2-metadata-token-ttl-seconds": str(seconds)}
        status, token = self._call("PUT", "/latest/api/token", header)
        if status != 200:
            raise UnavailableError(f"the metadata service returned {status} for a token request")
        self._token = token
        self._token_until = clock.monotonic() + seconds - _RENEW_BEFORE.total_seconds()

    def _call(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(*self._address, timeout=_SECONDS)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES).decode()
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise UnavailableError("the metadata service is not responding") from exc
        finally:
            connection.close()


def _credentials(document: Any) -> Credentials:
    """Read the service's document; one in another format raises KeyError, TypeError or similar."""
    texts = [document[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")]
    if not all(isinstance(text, str) and text.isascii() for text in texts):
        raise TypeError("a part of the credentials is not a string of ASCII characters")
    return Credentials(
        access_key=texts[0],
        secret_key=SecretStr(texts[1]),
        session_token=SecretStr(texts[2]),
        expires=plausible(datetime.fromisoformat(document["Expiration"])),
    )


def _code(text: str) -> str:
    """Return the document's code, such as `Failed`; never return any other part of it."""
    match = re.search(r'"Code"\s*:\s*"([A-Za-z]{1,40})"', text[:_MOST_BYTES])
    return match[1] if match else "no code"
