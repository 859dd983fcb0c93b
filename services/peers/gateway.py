"""A client for the Interactive Brokers Client Portal gateway, using version 1 of its Web API.

Rule: only this module contains the gateway's paths and status codes. It does not wait or retry, so
callers must respect the rate limits. If an IP address exceeds a limit, Interactive Brokers blocks
the address for fifteen minutes. Repeated violations may get the address banned permanently.

Responses are returned as parsed JSON. `services.cp_api.parsing` interprets them.

According to the Interactive Brokers Web API documentation:

- /tickle and /iserver/auth/status require POST requests.
- /iserver/auth/ssodh/init, with `publish` and `compete`, replaces the deprecated
  /iserver/reauthenticate.
- The status is 401 if nobody is logged in. After too many requests, it is 429, without a
  Retry-After header.

The gateway also returns undocumented errors:

- "no bridge" and "not authenticated" if the brokerage session has ended
- "Init session first" if the session was taken over or timed out, even while the status says that
  it is authenticated; only ssodh/init helps
- "Please query /accounts first" if the accounts have not been requested
- 403 with "Access Denied" as plain text if the gateway's conf.yaml does not allow our address
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, NoReturn

import aiohttp
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.errors import RefusedError, UnavailableError

log = structlog.get_logger("gateway")

BASE: Final = "/v1/api"
_NO_SESSION: Final = ("no bridge", "not authenticated")
_NOT_INITIALISED: Final = "init session first"
_NO_ACCESS: Final = "access denied"
_NO_ACCOUNTS: Final = "query /accounts first"


class PacedError(UnavailableError):
    """The gateway returned 429. Send no requests until the penalty is over."""


class SessionError(UnavailableError):
    """The brokerage session has ended. Re-authenticating may restore it without human help."""


class UninitialisedError(SessionError):
    """The session must be opened again, whatever the gateway says about its status."""


class AccountsError(UnavailableError):
    """The accounts have not been requested in this session. Request them, then try again."""


class UnansweredError(UnavailableError):
    """The gateway cannot serve this request, but other requests may still succeed."""


class LoginError(RefusedError):
    """Nobody is logged in to the gateway. A person must log in with a browser."""


class AddressError(RefusedError):
    """The gateway does not allow our address, whoever is logged in. Its conf.yaml must allow it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response from the gateway. Numbers with a decimal point are parsed as `Decimal`."""

    body: object
    simulated: bool
    """Whether the response comes from the simulator, which marks every response."""


class AuthStatus(BaseModel):
    """The brokerage session's status, as returned by /iserver/auth/status and /tickle."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    authenticated: bool = False
    """Whether there is a brokerage session, which all requests to /iserver/… require."""
    connected: bool = False
    """Whether the gateway is connected to Interactive Brokers."""
    competing: bool = False
    """Whether the same user has a brokerage session elsewhere."""
    message: str = ""
    simulated: bool = False


def trust(*, ca: Path | None, is_verified: bool) -> ssl.SSLContext:
    """Return a TLS context for connections to the gateway.

    The gateway's certificate is verified against `ca`, or against the system's CAs if `ca` is None.
    If `is_verified` is false, nothing is verified, and a warning is logged.

    The real gateway's certificate is self-signed and contains none of our host names. If `ca` is
    set, the host name is therefore not checked.
    """
    if not is_verified:
        log.warning(
            "the gateway's certificate is not verified",
            meaning="any server at the gateway's address is trusted",
            instead="set GATEWAY_CA to the path of the gateway's certificate",
        )
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca is None:
        return ssl.create_default_context()
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = False
    return context


class Gateway:
    """A client for one gateway. The caller provides the HTTP session and sets its time-outs."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._url = url.rstrip("/") + BASE
        self._tls: ssl.SSLContext | bool = tls or True

    async def tickle(self) -> None:
        """Keep the login alive. Call this once a minute, and never more than once a second."""
        await self._ask("POST", "/tickle", about="tickle")

    async def auth_status(self) -> AuthStatus:
        """Return the brokerage session's status."""
        answer = await self._ask("POST", "/iserver/auth/status", about="session status")
        return _status(answer)

    async def reauthenticate(self) -> AuthStatus:
        """Reopen the brokerage session without taking over a session that is open elsewhere."""
        answer = await self._ask(
            "POST",
            "/iserver/auth/ssodh/init",
            body={"publish": True, "compete": False},
            about="re-authentication",
        )
        return _status(answer)

    async def accounts(self) -> Answer:
        """Return the user's accounts. Call this in each session before the first snapshot."""
        return await self._ask("GET", "/iserver/accounts", about="accounts")

    async def stocks(self, symbols: Sequence[str]) -> Answer:
        """Return the contracts for the given stock symbols."""
        return await self._ask(
            "GET", "/trsrv/stocks", params={"symbols": ",".join(symbols)}, about="contracts"
        )

    async def definitions(self, conids: Sequence[int]) -> Answer:
        """Return the definitions of up to 200 contracts, including their currencies."""
        return await self._ask(
            "POST", "/trsrv/secdef", body={"conids": list(conids)}, about="contract definitions"
        )

    async def snapshot(self, conids: Sequence[int], fields: Sequence[str]) -> Answer:
        """Return quotes for the given contracts.

        In each session, the first response for a contract is a pre-flight response without data.
        """
        return await self._ask(
            "GET",
            "/iserver/marketdata/snapshot",
            params={"conids": ",".join(map(str, conids)), "fields": ",".join(fields)},
            about="quotes",
        )

    async def history(self, conid: int, period: str, bar: str) -> Answer:
        """Return price bars for one contract. At most five such requests may run concurrently."""
        return await self._ask(
            "GET",
            "/iserver/marketdata/history",
            params={"conid": str(conid), "period": period, "bar": bar},
            about="history",
        )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        about: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Answer:
        try:
            async with self._session.request(
                method,
                self._url + path,
                params=params,
                json=body,
                ssl=self._tls,
                allow_redirects=False,  # a redirect leads to the login page
            ) as answer:
                text = await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise UnavailableError(f"{about}: the gateway did not respond") from exc
        if answer.status != 200:
            _refuse(answer.status, text, about)
        try:
            answer_body = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as exc:
            raise UnavailableError(f"{about}: the gateway's response is not JSON") from exc
        return Answer(answer_body, simulated=answer.headers.get("X-Simulated") == "true")


def _refuse(status: int, text: str, about: str) -> NoReturn:
    reason = text.casefold()
    if status == 429:
        raise PacedError(f"{about}: the gateway received too many requests")
    if _NOT_INITIALISED in reason:
        raise UninitialisedError(f"{about}: the brokerage session must be opened again")
    if any(phrase in reason for phrase in _NO_SESSION):
        raise SessionError(f"{about}: the brokerage session has ended")
    if _NO_ACCOUNTS in reason:
        raise AccountsError(f"{about}: the gateway requires the accounts to be requested first")
    if status == 403 and _NO_ACCESS in reason:
        raise AddressError(f"{about}: the gateway does not allow this address")
    if status in {301, 302, 401, 403}:
        raise LoginError(f"{about}: nobody is logged in to the gateway")
    if status in {400, 404, 500}:
        raise UnansweredError(f"{about}: the gateway returned {status}")
    raise UnavailableError(f"{about}: the gateway returned {status}")


def _status(answer: Answer) -> AuthStatus:
    try:
        status = AuthStatus.model_validate(answer.body)
    except ValidationError as exc:
        raise UnavailableError(
            "session status: the gateway's response has an unexpected format"
        ) from exc
    return status.model_copy(update={"simulated": status.simulated or answer.simulated})
