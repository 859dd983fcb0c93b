"""Interactive Brokers' Client Portal gateway over HTTP: its Web API v1, without pacing.

Rule: only this module knows the gateway's paths and status codes. It neither waits nor retries:
callers keep to the pacing (a violator's address is banned for fifteen minutes, a repeated
violator's for good). Answers come back as JSON, which `services.cp_api.parsing` interprets.

From Interactive Brokers' Web API documentation: the base path; POST for /tickle and
/iserver/auth/status; /iserver/auth/ssodh/init with `publish` and `compete` in place of the
deprecated /iserver/reauthenticate; 401 without a login; 429 when paced, with no Retry-After.
Observed, not documented: "no bridge" and "not authenticated" when the brokerage session has ended,
and "Please query /accounts first".
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
_NO_ACCOUNTS: Final = "query /accounts first"


class PacedError(UnavailableError):
    """The gateway answered 429: send nothing until the penalty is over."""


class SessionError(UnavailableError):
    """The brokerage session has ended; re-authentication may restore it without a person."""


class AccountsError(UnavailableError):
    """/iserver/accounts must be requested first in this session; then repeat the request."""


class UnansweredError(UnavailableError):
    """This request has no answer; others may have one."""


class LoginError(RefusedError):
    """Nobody is logged in at the gateway: a person must log in with a browser."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the gateway; numbers with a fraction are `Decimal`."""

    body: object
    simulated: bool
    """Set by the simulator, in a header and in every object."""


class AuthStatus(BaseModel):
    """The session's status: /iserver/auth/status, and part of /tickle's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    authenticated: bool = False
    """There is a brokerage session: /iserver/… answers."""
    connected: bool = False
    """The gateway reaches Interactive Brokers."""
    competing: bool = False
    """The same user has a brokerage session elsewhere."""
    message: str = ""
    simulated: bool = False


def trust(*, ca: Path | None, is_verified: bool) -> ssl.SSLContext:
    """How to verify the gateway: by `ca`, by the system's authorities, or not at all.

    The real gateway's certificate is self-signed and names none of our hosts, so `ca` verifies the
    certificate but no name. Not verifying logs a warning at every start.
    """
    if not is_verified:
        log.warning(
            "gateway not verified",
            meaning="anything that answers at the gateway's address is trusted",
            instead="set GATEWAY_CA to the gateway's certificate",
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
    """One gateway. The caller owns the HTTP session, with its limits and time-outs."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._url = url.rstrip("/") + BASE
        self._tls: ssl.SSLContext | bool = tls or True

    async def tickle(self) -> None:
        """Keep the login alive: once a minute, and never more than once a second."""
        await self._ask("POST", "/tickle", about="tickle")

    async def auth_status(self) -> AuthStatus:
        """The session's status."""
        answer = await self._ask("POST", "/iserver/auth/status", about="session status")
        return _status(answer)

    async def reauthenticate(self) -> AuthStatus:
        """Reopen the brokerage session, without taking over one that is open elsewhere."""
        answer = await self._ask(
            "POST",
            "/iserver/auth/ssodh/init",
            body={"publish": True, "compete": False},
            about="re-authentication",
        )
        return _status(answer)

    async def accounts(self) -> Answer:
        """The user's accounts; to be requested once per session before any snapshot."""
        return await self._ask("GET", "/iserver/accounts", about="accounts")

    async def stocks(self, symbols: Sequence[str]) -> Answer:
        """Contracts of stocks by symbol."""
        return await self._ask(
            "GET", "/trsrv/stocks", params={"symbols": ",".join(symbols)}, about="contracts"
        )

    async def definitions(self, conids: Sequence[int]) -> Answer:
        """Definitions of up to 200 contracts, with their currencies."""
        return await self._ask(
            "POST", "/trsrv/secdef", body={"conids": list(conids)}, about="contract definitions"
        )

    async def snapshot(self, conids: Sequence[int], fields: Sequence[str]) -> Answer:
        """Quotes; the first answer for a contract in a session is a pre-flight without data."""
        return await self._ask(
            "GET",
            "/iserver/marketdata/snapshot",
            params={"conids": ",".join(map(str, conids)), "fields": ",".join(fields)},
            about="quotes",
        )

    async def history(self, conid: int, period: str, bar: str) -> Answer:
        """Bars of one contract; at most five such requests at once."""
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
                allow_redirects=False,  # to the login page
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise UnavailableError(f"{about}: the gateway does not answer") from exc
        if answer.status != 200:
            _refuse(answer.status, text, about)
        try:
            answer_body = json.loads(text, parse_float=Decimal)
        except ValueError as exc:
            raise UnavailableError(f"{about}: the gateway's answer is not JSON") from exc
        return Answer(answer_body, simulated=answer.headers.get("X-Simulated") == "true")


def _refuse(status: int, text: str, about: str) -> NoReturn:
    reason = text.casefold()
    if status == 429:
        raise PacedError(f"{about}: the gateway reports too many requests")
    if any(phrase in reason for phrase in _NO_SESSION):
        raise SessionError(f"{about}: the brokerage session has ended")
    if _NO_ACCOUNTS in reason:
        raise AccountsError(f"{about}: the gateway requires a request for the accounts first")
    if status in {301, 302, 401, 403}:
        raise LoginError(f"{about}: nobody is logged in at the gateway")
    if status in {400, 404, 500}:
        raise UnansweredError(f"{about}: the gateway answered {status}")
    raise UnavailableError(f"{about}: the gateway answered {status}")


def _status(answer: Answer) -> AuthStatus:
    try:
        status = AuthStatus.model_validate(answer.body)
    except ValidationError as exc:
        raise UnavailableError("session status: cannot read the gateway's answer") from exc
    return status.model_copy(update={"simulated": status.simulated or answer.simulated})
