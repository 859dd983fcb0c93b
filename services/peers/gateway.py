"""The broker's Client Portal gateway over HTTP: Interactive Brokers' Web API v1, unpaced.

Rule: this is the only module that knows the gateway's paths and status codes, and it neither
waits nor tries again: whoever asks keeps to the pacing (a violator's address is shut out for
fifteen minutes, a repeated one for good). What it says comes back as JSON, for
`services.cp_api.reading` to make sense of.

From Interactive Brokers' Web API documentation: the base path; POST for /tickle and
/iserver/auth/status; /iserver/auth/ssodh/init with `publish` and `compete` in place of the
deprecated /iserver/reauthenticate; 401 without a login; 429 when paced, with no Retry-After.
Seen, not documented: "no bridge" and "not authenticated" when the brokerage session is gone, and
"Please query /accounts first".
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
    """The gateway answered 429: ask nothing more until the penalty is over."""


class SessionError(UnavailableError):
    """The brokerage session is gone and may be had again without a person."""


class AccountsError(UnavailableError):
    """/iserver/accounts has not been asked in this session; ask it, then again."""


class UnansweredError(UnavailableError):
    """This very request has no answer; others may have one."""


class LoginError(RefusedError):
    """Nobody is logged in at the gateway: a person must, in a browser."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said; numbers with a fraction are `Decimal`."""

    body: object
    simulated: bool
    """Said by the simulator in a header, and in every object beside."""


class AuthStatus(BaseModel):
    """How the session is: /iserver/auth/status, and part of /tickle's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    authenticated: bool = False
    """The brokerage session is there: /iserver/… answers."""
    connected: bool = False
    """The gateway reaches the broker."""
    competing: bool = False
    """The same user has a brokerage session elsewhere."""
    message: str = ""
    simulated: bool = False


def trust(*, ca: Path | None, is_verified: bool) -> ssl.SSLContext:
    """How to know the gateway: by a CA's certificate, by the system's, or not at all.

    The real gateway's certificate is self-signed and made out to no name of ours, so a `ca`
    checks the certificate and no name. Not verifying is said at every start.
    """
    if not is_verified:
        log.warning(
            "gateway not verified",
            meaning="whoever answers at the gateway's address is believed",
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
    """One gateway; the session is the caller's, and bounded by it."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._url = url.rstrip("/") + BASE
        self._tls: ssl.SSLContext | bool = tls or True

    async def tickle(self) -> None:
        """Keep the login alive; to be asked once a minute, at most once a second."""
        await self._ask("POST", "/tickle", about="tickle")

    async def auth_status(self) -> AuthStatus:
        """How the session is."""
        answer = await self._ask("POST", "/iserver/auth/status", about="session status")
        return _status(answer)

    async def reauthenticate(self) -> AuthStatus:
        """Open the brokerage session again, without taking it from anybody who has it elsewhere."""
        answer = await self._ask(
            "POST",
            "/iserver/auth/ssodh/init",
            body={"publish": True, "compete": False},
            about="re-authentication",
        )
        return _status(answer)

    async def accounts(self) -> Answer:
        """Must have been asked once in a session before any snapshot."""
        return await self._ask("GET", "/iserver/accounts", about="accounts")

    async def stocks(self, symbols: Sequence[str]) -> Answer:
        """Contracts of stocks by symbol."""
        return await self._ask(
            "GET", "/trsrv/stocks", params={"symbols": ",".join(symbols)}, about="contracts"
        )

    async def definitions(self, conids: Sequence[int]) -> Answer:
        """What contracts are, their currency among it; 200 at most."""
        return await self._ask(
            "POST", "/trsrv/secdef", body={"conids": list(conids)}, about="contract definitions"
        )

    async def snapshot(self, conids: Sequence[int], fields: Sequence[str]) -> Answer:
        """Quotes; a contract's first answer in a session is a pre-flight and has no data."""
        return await self._ask(
            "GET",
            "/iserver/marketdata/snapshot",
            params={"conids": ",".join(map(str, conids)), "fields": ",".join(fields)},
            about="quotes",
        )

    async def history(self, conid: int, period: str, bar: str) -> Answer:
        """Bars of one contract; five such requests at once at most."""
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
                allow_redirects=False,  # to the login page, which is no answer
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise UnavailableError(f"{about}: the gateway does not answer") from exc
        if answer.status != 200:
            _refuse(answer.status, text, about)
        try:
            told = json.loads(text, parse_float=Decimal)
        except ValueError as exc:
            raise UnavailableError(f"{about}: the gateway said what is not JSON") from exc
        return Answer(told, simulated=answer.headers.get("X-Simulated") == "true")


def _refuse(status: int, text: str, about: str) -> NoReturn:
    reason = text.casefold()
    if status == 429:
        raise PacedError(f"{about}: the gateway says we ask too much")
    if any(told in reason for told in _NO_SESSION):
        raise SessionError(f"{about}: the brokerage session is gone")
    if _NO_ACCOUNTS in reason:
        raise AccountsError(f"{about}: the gateway wants to be asked for accounts first")
    if status in {301, 302, 401, 403}:
        raise LoginError(f"{about}: nobody is logged in at the gateway")
    if status in {400, 404, 500}:
        raise UnansweredError(f"{about}: the gateway answered {status}")
    raise UnavailableError(f"{about}: the gateway answered {status}")


def _status(answer: Answer) -> AuthStatus:
    try:
        told = AuthStatus.model_validate(answer.body)
    except ValidationError as exc:
        raise UnavailableError("session status: in a shape we do not know") from exc
    return told.model_copy(update={"simulated": told.simulated or answer.simulated})
