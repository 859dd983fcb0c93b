"""Orders of a person or a test to the market, `lab.aws.market`.

Rule: this module imports nothing that imports moto, so that a command starts quickly. Actions,
codes and audiences are plain words here; the daemon checks them.
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
    """The market of the lab that is up, through its daemon's socket.

    Every order raises a LabError when EC2 knows no such instance, the instance does not run, or
    the order does not apply to it.
    """

    at: Path

    def interrupt(
        self, instance: str, *, notice: float = 120, action: str = "terminate", by: str = "both"
    ) -> str:
        """Let AWS take a spot instance after `notice` seconds; returns the time, in UTC.

        `action`: terminate, stop or hibernate. `by`: both, imds, sqs or neither; AWS takes the
        instance in any case.
        """
        return self._ask("interrupt", instance, seconds=notice, action=action, by=by)

    def hint(self, instance: str, *, by: str = "both") -> str:
        """Let AWS recommend to leave a spot instance; returns the time of the recommendation."""
        return self._ask("hint", instance, by=by)

    def maintain(
        self,
        instance: str,
        *,
        within: float = 600,
        code: str = "instance-retirement",
        by: str = "both",
    ) -> str:
        """Let AWS schedule maintenance in `within` seconds; returns its time.

        `code`: instance-retirement, instance-stop, system-reboot, instance-reboot or
        system-maintenance. Only the last one does nothing to the machine.
        """
        return self._ask("maintain", instance, seconds=within, code=code, by=by)

    def withdraw(self, instance: str) -> None:
        """Let AWS withdraw all announcements for an instance that are still pending."""
        self._ask("withdraw", instance)

    def _ask(self, order: str, instance: str, **more: Any) -> str:
        connection = Connection(self.at, timeout=10)
        try:
            connection.request("POST", f"/{order}", json.dumps({"instance": instance, **more}))
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as exc:
            raise LabError(f"the lab's daemon does not answer: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise LabError(f"{order} {instance}: {text}")
        return str(json.loads(text)["at"])
