"""The API's usage data in InfluxDB 1.x. Each call is stored as one point.

Rules: each call has a unique timestamp, so a call that is written twice is counted only once. Tags
contain only values from the auth service and the route table, never text sent by a client.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from services.stores.usage_errors import PartialWriteError, RejectedError, rejection

__all__ = ["Call", "PartialWriteError", "RejectedError", "Usage", "UsageHour"]

DATABASE: Final = "usage"
MEASUREMENT: Final = "call"
KEPT_DAYS: Final = 90
"""The number of days after which InfluxDB deletes calls."""
_UNEXPECTED: Final = "reading usage: InfluxDB's response has an unexpected format"
_TIMED_OUT: Final = ("timeout", "query timeout reached", "query interrupted")
"""Errors that InfluxDB reports with status 200, and that a second attempt may not meet."""
_ESCAPED: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ ", "\\": "/"})


@dataclass(frozen=True, slots=True)
class Call:
    """An API call made with a valid token."""

    at_nanoseconds: int
    """Nanoseconds since 1970, unique among one token's calls to one route."""
    token: str
    """The token's id, never the token itself."""
    account: str
    route: str
    """The route's pattern, such as `/v1/news/{id}`."""
    method: str
    status: int
    latency_ms: float

    def line(self) -> str:
        """Return the call in InfluxDB line protocol."""
        tags = {
            "account": self.account,
            "method": self.method,
            "route": self.route,
            "status": str(self.status),
            "token": self.token,
        }
        tag_set = "".join(
            f",{name}={value.translate(_ESCAPED)}" for name, value in tags.items() if value
        )
        errors = int(self.status >= 400)
        fields = f"latency_ms={self.latency_ms:.3f},count=1i,errors={errors}i"
        return f"{MEASUREMENT}{tag_set} {fields} {self.at_nanoseconds}"


class UsageHour(BaseModel):
    """API call statistics for one hour."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    """The start of the hour."""
    calls: int
    errors: int
    """The number of calls that failed with status 400 or above."""
    p50_ms: float
    p95_ms: float


class Usage:
    """A client for the usage database in InfluxDB. The first write creates the database."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        user: str = "",
        password: SecretStr | None = None,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {}
        if user:
            secret = password.get_secret_value() if password else ""
            self._headers["Authorization"] = aiohttp.encode_basic_auth(user, secret, "utf-8")

    async def check(self) -> str | None:
        """Return None if InfluxDB responds, otherwise a description of the problem."""
        try:
            await self._ask("GET", "/ping", "checking InfluxDB")
        except ClusterError as exc:
            return str(exc)
        return None

    async def write(self, calls: Sequence[Call]) -> None:
        """Store calls. Calls that are already stored are not counted twice.

        Raises:
            PartialWriteError: if InfluxDB will never accept some of these calls. The others are
                stored.
            RejectedError: if InfluxDB will never accept these calls.
        """
        if not calls:
            return
        lines = "\n".join(call.line() for call in calls).encode()
        params = {"db": DATABASE, "precision": "ns"}
        try:
            await self._ask("POST", "/write", "writing usage", params=params, data=lines)
        except GoneError:
            await self._query(
                f'CREATE DATABASE "{DATABASE}" WITH DURATION {KEPT_DAYS}d REPLICATION 1'
            )
            await self._ask("POST", "/write", "writing usage", params=params, data=lines)

    async def by_hour(
        self, account: str, token: str | None = None, *, since: datetime, until: datetime
    ) -> list[UsageHour]:
        """Return hourly statistics for an account's calls, oldest first.

        If `token` is not None, count only the calls made with this token.
        """
        where = (
            f'"account" = $account AND time >= {_nanoseconds(since)} AND time < '
            f"{_nanoseconds(until)}"
        )
        bound = {"account": account}
        if token is not None:
            where += ' AND "token" = $of_token'
            bound["of_token"] = token
        # Values from callers are bound parameters, and are never part of the query text.
        rows = await self._query(
            'SELECT SUM("count"), SUM("errors"),'  # noqa: S608
            ' PERCENTILE("latency_ms", 50), PERCENTILE("latency_ms", 95)'
            f' FROM "{MEASUREMENT}" WHERE {where} GROUP BY time(1h) fill(none)',
            bound,
        )
        try:
            return [
                UsageHour(
                    at=datetime.fromtimestamp(at, UTC),
                    calls=int(calls),
                    errors=int(errors),
                    p50_ms=p50,
                    p95_ms=p95,
                )
                for at, calls, errors, p50, p95 in rows
            ]
        except (ValueError, TypeError, OverflowError, OSError) as exc:
            raise UnavailableError(_UNEXPECTED) from exc

    async def _query(self, query: str, bound: Mapping[str, str] | None = None) -> list[Any]:
        """Run a single statement and return its rows."""
        form = {"q": query, "db": DATABASE, "epoch": "s"}
        if bound:
            form["params"] = json.dumps(bound)
        content = await self._ask("POST", "/query", "reading usage", data=form)
        try:
            (result,) = json.loads(content)["results"]
            error = str(result.get("error", ""))
            series = result.get("series", [])
            rows = list(series[0]["values"]) if series else []
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise UnavailableError(_UNEXPECTED) from exc
        if "database not found" in error:
            # No calls have been written yet.
            return []
        if error in _TIMED_OUT:
            raise UnavailableError("reading usage: InfluxDB did not finish the query in time")
        if error:
            raise RefusedError("reading usage: InfluxDB rejected the query")
        return rows

    async def _ask(
        self,
        method: str,
        path: str,
        attempt: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> bytes:
        try:
            async with self._session.request(
                method, f"{self._url}{path}", params=params, data=data, headers=self._headers
            ) as answer:
                content = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UnavailableError(f"{attempt}: InfluxDB did not respond") from exc
        if status < 400:
            return content
        message = f"{attempt}: InfluxDB returned {status}"
        if status == 404:
            raise GoneError(message)
        if status >= 500 or status in (408, 429):
            raise UnavailableError(message)
        if status in (400, 413):
            raise rejection(attempt, status, content.decode(errors="replace"))
        raise RefusedError(message)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1_000
