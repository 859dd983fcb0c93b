"""Sends each alarm to a webhook as a JSON POST request, retrying if necessary.

Rule: the webhook's address is a secret and never appears in logs or errors. An alarm may arrive
twice if the response to the first POST is lost. Receivers can recognise duplicates by their `id`.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import aiohttp
import structlog
from prometheus_client import Counter
from pydantic import SecretStr

from runtime.backoff import backoff
from services.cp_api_tickle.decide import EndAlarm, RaiseAlarm

log = structlog.get_logger("cp_api_tickle")

_SENT: Final = Counter("cp_alarms_total", "Attempts to send alarms, by outcome", ["outcome"])
_WAITING_MOST: Final = 20
"""The maximum length of the queue. If the receiver is unavailable for days, only the latest alarms
are kept."""


def message(action: RaiseAlarm | EndAlarm, *, at: datetime) -> dict[str, Any]:
    """Return the JSON object for an alarm. Chat systems display the `text` field."""
    is_lost = isinstance(action, RaiseAlarm)
    event = "session_lost" if is_lost else "session_returned"
    since = action.since.isoformat()
    summary = "The brokerage session is lost" if is_lost else "The brokerage session is back"
    return {
        "event": event,
        "id": f"{event}-{since}",
        "since": since,
        "at": at.isoformat(),
        "reason": action.reason,
        "text": f"{summary}: {action.reason} (failing since {since}).",
        "service": "cp_api_tickle",
    }


class Webhook:
    """Sends queued alarms in order. Call `run` in a background task."""

    def __init__(
        self, session: aiohttp.ClientSession, url: SecretStr | None, *, ceiling_seconds: float = 60
    ) -> None:
        self._session = session
        self._url = url if url and url.get_secret_value() else None
        self._ceiling_seconds = ceiling_seconds
        self._waiting: list[dict[str, Any]] = []
        self._has_alarms = asyncio.Event()

    def send(self, alarm: dict[str, Any]) -> None:
        """Add an alarm to the queue. This method never waits and never fails."""
        if self._url is None:
            return
        self._waiting.append(alarm)
        del self._waiting[:-_WAITING_MOST]
        self._has_alarms.set()

    async def run(self) -> None:
        """Send the queued alarms until cancelled."""
        while True:
            await self._has_alarms.wait()
            self._has_alarms.clear()
            while self._waiting:
                alarm = self._waiting[0]
                await self._deliver(alarm)
                self._forget([alarm])

    def _forget(self, alarms: Iterable[dict[str, Any]]) -> None:
        for alarm in alarms:
            if alarm in self._waiting:  # newer alarms may have displaced it
                self._waiting.remove(alarm)

    async def _deliver(self, alarm: dict[str, Any]) -> None:
        for pause in backoff(first=1.0, ceiling=self._ceiling_seconds):
            outcome = await self._post(alarm)
            _SENT.labels(outcome).inc()
            if outcome in {"taken", "refused"}:
                return
            log.warning(
                "could not send an alarm; retrying",
                outcome=outcome,
                retry_in_seconds=round(pause, 1),
            )
            await asyncio.sleep(pause)

    async def _post(self, alarm: dict[str, Any]) -> str:
        if self._url is None:
            return "refused"
        try:
            async with self._session.post(
                self._url.get_secret_value(), json=alarm, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return "away"
        if status < 300:
            log.info("the receiver accepted an alarm", alarm=alarm["id"])
            return "taken"
        if status in {408, 429} or status >= 500:
            return "away"
        log.warning("the receiver rejected an alarm", status=status, alarm=alarm["id"])
        return "refused"
