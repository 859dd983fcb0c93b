"""Sends requests from a user or a test to the simulated spot market (`lab.aws.market`).

Rule: this module must not import moto, directly or indirectly, so that commands start quickly.
The arguments `action`, `code` and `by` are plain strings here; the daemon checks them.
"""

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.host import LabError
from lab.machines.sockets import Connection


@dataclass(frozen=True, slots=True)
class Orders:
    """Sends requests to the running lab's spot market, through the daemon's socket.

    Every method raises a `LabError` if EC2 has no such instance, or if the request is not possible,
    for example because the instance is not running.
    """

    at: Path

    def interrupt(
        self, instance: str, *, notice: float = 120, action: str = "terminate", by: str = "both"
    ) -> str:
        """Interrupt a spot instance after `notice` seconds; return the interruption time, in UTC.

        `action` is `terminate`, `stop` or `hibernate`. `by` selects where the announcement appears:
        `both`, `imds`, `sqs` or `neither`. AWS reclaims the instance regardless.
        """
        return self._ask("interrupt", instance, seconds=notice, action=action, by=by)

    def hint(self, instance: str, *, by: str = "both") -> str:
        """Send a rebalance recommendation for a spot instance; return the notice time, in UTC."""
        return self._ask("hint", instance, by=by)

    def maintain(
        self,
        instance: str,
        *,
        within: float = 600,
        code: str = "instance-retirement",
        by: str = "both",
    ) -> str:
        """Schedule maintenance to start after `within` seconds; return the start time, in UTC.

        `code` is `instance-retirement`, `instance-stop`, `system-reboot`, `instance-reboot` or
        `system-maintenance`. A `system-maintenance` event does not affect the machine.
        """
        return self._ask("maintain", instance, seconds=within, code=code, by=by)

    def withdraw(self, instance: str) -> None:
        """Withdraw all pending announcements for an instance."""
        self._ask("withdraw", instance)

    def _ask(self, order: str, instance: str, **more: Any) -> str:
        connection = Connection(self.at, timeout=10)
        try:
            connection.request("POST", f"/{order}", json.dumps({"instance": instance, **more}))
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as exc:
            raise LabError(f"could not reach the lab's daemon: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise LabError(f"the request `{order} {instance}` failed: {text}")
        return str(json.loads(text)["at"])
