"""Who called what and how it went, in InfluxDB 1.x: one point for each call.

Rule: a call's time makes its point unique, so `write` can be repeated and counts nothing twice.
Nothing a client sends becomes a tag but what auth and the route table have vouched for.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

DATABASE: Final = "usage"
MEASUREMENT: Final = "call"
KEPT_DAYS: Final = 90
"""How long calls are kept; InfluxDB drops them by itself."""
_ESCAPED: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ ", "\\": "/"})


class RejectedError(RefusedError):
    """InfluxDB will never take these calls, whoever asks."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an API by somebody known."""

    at_nanoseconds: int
    """Since 1970; no two calls of one token to one route have the same."""
    token: str
    """The token's id, never the token."""
    account: str
    route: str
    """As the route table has it, `/v1/news/{id}`: addresses that differ are one route."""
    method: str
    status: int
    latency_ms: float

    def line(self) -> str:
        """In InfluxDB's line protocol."""
        tags = {
            "account": self.account,
            "method": self.method,
            "route": self.route,
            "status": str(self.status),
            "token": self.token,
        }
        told = "".join(
            f",{name}={value.translate(_ESCAPED)}" for name, value in tags.items() if value
        )
        errors = int(self.status >= 400)
        fields = f"latency_ms={self.latency_ms:.3f},count=1i,errors={errors}i"
        return f"{MEASUREMENT}{told} {fields} {self.at_nanoseconds}"


class UsageHour(BaseModel):
    """An hour with calls in it."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    """When the hour began."""
    calls: int
    errors: int
    """Answers of 400 and up."""
    p50_ms: float
    p95_ms: float


class Usage:
    """The usage database of one InfluxDB; made when it is first written to."""

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
        """None when the server answers, else a sentence: for a service's readiness."""
        try:
            await self._ask("GET", "/ping", "looking for InfluxDB")
        except ClusterError as exc:
            return str(exc)
        return None

    async def write(self, calls: Sequence[Call]) -> None:
        """Keep these calls; writing some again changes nothing.

        Raises:
            RejectedError: they are not what InfluxDB takes, and never will be.
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
        """The hours with calls of an account, or of one of its tokens; oldest first."""
        where = (
            f'"account" = $account AND time >= {_nanoseconds(since)} AND time < '
            f"{_nanoseconds(until)}"
        )
        given = {"account": account}
        if token is not None:
            where += ' AND "token" = $of_token'
            given["of_token"] = token
        # No value of a caller's is in this text: they are bound.
        rows = await self._query(
            'SELECT SUM("count"), SUM("errors"),'  # noqa: S608
            ' PERCENTILE("latency_ms", 50), PERCENTILE("latency_ms", 95)'
            f' FROM "{MEASUREMENT}" WHERE {where} GROUP BY time(1h) fill(none)',
            given,
        )
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

    async def _query(self, query: str, given: Mapping[str, str] | None = None) -> list[Any]:
        """The rows of one statement; one statement, because errors of several are mixed up."""
        form = {"q": query, "db": DATABASE, "epoch": "s"}
        if given:
            form["params"] = json.dumps(given)
        content = await self._ask("POST", "/query", "reading usage", data=form)
        try:
            (result,) = json.loads(content)["results"]
        except (ValueError, KeyError, TypeError) as exc:
            raise UnavailableError("reading usage: InfluxDB's answer is not what it was") from exc
        error = result.get("error", "")
        if "database not found" in error:
            # Nobody has called anything yet: no rows.
            return []
        if error:
            raise RefusedError("reading usage: InfluxDB refused the query")
        series = result.get("series", [])
        return list(series[0]["values"]) if series else []

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
            raise UnavailableError(f"{attempt}: InfluxDB does not answer") from exc
        if status < 400:
            return content
        told = f"{attempt}: InfluxDB answered {status}"
        if status == 404:
            raise GoneError(told)
        if status >= 500 or status in (408, 429):
            raise UnavailableError(told)
        raise (RejectedError if status in (400, 413) else RefusedError)(told)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1_000
