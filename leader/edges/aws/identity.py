"""Checks who sent a join request: STS verifies the signature, and EC2 describes the instance.

Rule: build the STS call from our own endpoint, body and headers. Take only the signature, its date
and the session token from the message.
"""

import asyncio
from typing import Self

import aiohttp
from nacl.public import PublicKey

from leader.edges.aws.clients import Aws
from leader.edges.aws.instances import Instances
from leader.joining.caller import MAX_ANSWER_BYTES, read_answer
from leader.view.ids import InstanceId
from leader.view.model import Denied, Identity, Instance
from runtime.errors import GoneError, RefusedError, UnavailableError
from wire import proof
from wire.messages import AwsProof, DenialCode, JoinRequest, PasswordClaim
from wire.sealing import public_text

_STS_SECONDS = 5
_AT_ONCE = 32
"""Connections to STS that are kept open, and so the number of proofs that are checked at once."""
_KEPT_OPEN_SECONDS = 60.0


class AwsIdentity:
    """Checks proofs of identity for one cluster in one account and region."""

    def __init__(
        self,
        aws: Aws,
        instances: Instances,
        *,
        region: str,
        endpoint: str | None,
        roles: tuple[str, ...],
    ) -> None:
        self._aws = aws
        self._instances = instances
        self._endpoint = endpoint or proof.endpoint(region)
        self._roles = roles
        self._account = ""
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        self._account = await self._aws.account()
        # A new connection takes STS and us ten times as long as a call on one that is open.
        connector = aiohttp.TCPConnector(
            limit=_AT_ONCE, keepalive_timeout=_KEPT_OPEN_SECONDS, ttl_dns_cache=60
        )
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_STS_SECONDS),
            trust_env=False,
            connector=connector,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def prove(self, request: JoinRequest, key: PublicKey) -> Identity | Denied:
        """Check who sent the request; return a denial if AWS does not confirm the identity."""
        assert isinstance(request.identity, AwsProof)
        try:
            # EC2 may take seconds to find a new instance, so release the slot before calling EC2.
            async with self._slots:
                caller = await self._ask_sts(request, request.identity, key)
            if isinstance(caller, Denied):
                return caller
            return Identity("aws", await self._instances.describe(caller))
        except GoneError as exc:
            return Denied(DenialCode.UNKNOWN_INSTANCE, str(exc), 10)
        except UnavailableError as exc:
            return Denied(DenialCode.AWS_AWAY, str(exc), 5)
        except RefusedError as exc:
            return Denied(DenialCode.AWS_AWAY, str(exc), 60)

    async def _ask_sts(
        self, request: JoinRequest, claim: AwsProof, key: PublicKey
    ) -> InstanceId | Denied:
        headers = proof.headers(
            cluster=request.cluster,
            nonce=request.nonce,
            key=public_text(key),
            date=claim.date.strftime(proof.DATE_FORMAT),
            session_token=claim.session_token.get_secret_value(),
        )
        headers["authorization"] = claim.authorization.get_secret_value()
        headers["accept"] = "application/xml"
        try:
            async with self._http.post(
                self._endpoint, data=proof.BODY, headers=headers, allow_redirects=False
            ) as answer:
                body = await _read_at_most(answer.content, MAX_ANSWER_BYTES)
                if answer.status >= 500 or answer.status == 429:
                    raise UnavailableError(f"STS returned HTTP {answer.status}")
                caller = read_answer(
                    answer.status,
                    answer.content_type,
                    body,
                    account=self._account,
                    roles=self._roles,
                )
        except ValueError:
            # aiohttp rejects header values that contain a line break.
            return Denied(
                DenialCode.PROOF_FORM,
                "the proof contains characters that are not allowed in HTTP headers",
                60,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise UnavailableError("STS is not responding") from exc
        return caller if isinstance(caller, Denied) else caller.instance


async def _read_at_most(stream: aiohttp.StreamReader, limit: int) -> bytes:
    """Read up to `limit` bytes, in several calls if necessary."""
    body = b""
    while len(body) < limit and (chunk := await stream.read(limit - len(body))):
        body += chunk
    return body


class PasswordIdentity:
    """Accepts the identity that a machine outside AWS claims.

    The machine proves only that it has the broker's password.
    """

    def __init__(self, *, cluster: str) -> None:
        self._cluster = cluster

    async def prove(self, request: JoinRequest, _key: PublicKey) -> Identity | Denied:
        """Accept the claimed identity unchecked; the machine can get only a worker token."""
        assert isinstance(request.identity, PasswordClaim)
        return Identity(
            "password",
            Instance(
                id=InstanceId(request.identity.name),
                state="running",
                lifecycle="on-demand",
                zone="none",
                type="none",
                address=request.identity.address,
                cluster=self._cluster,
                role=None,
            ),
        )
