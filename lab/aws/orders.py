"""What a person or a test asks of the market: `lab.aws.market`.

Rule: this module imports nothing that imports moto, so that a command starts quickly; actions,
codes and audiences are plain words here, and the daemon judges them.
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
    """The market of the lab that is up, by its daemon's socket.

    Every order raises a LabError when EC2 knows no such instance, or it does not run, or the
    order makes no sense for it.
    """

    at: Path

    def interrupt(
        self, instance: str, *, notice: float = 120, action: str = "terminate", by: str = "both"
    ) -> str:
        """Let AWS take a spot instance after `notice` seconds; returns when, in UTC.

        `action`: terminate, stop or hibernate. `by`: both, imds, sqs or neither; it is taken
        in any case.
        """
        return self._ask("interrupt", instance, seconds=notice, action=action, by=by)

    def hint(self, instance: str, *, by: str = "both") -> str:
        """Let AWS recommend to leave a spot instance; returns when it did."""
        return self._ask("hint", instance, by=by)

    def maintain(
        self,
        instance: str,
        *,
        within: float = 600,
        code: str = "instance-retirement",
        by: str = "both",
    ) -> str:
        """Let AWS schedule maintenance in `within` seconds; returns when it takes place.

        `code`: instance-retirement, instance-stop, system-reboot, instance-reboot or
        system-maintenance, which alone does nothing to the machine.
        """
        return self._ask("maintain", instance, seconds=within, code=code, by=by)

    def withdraw(self, instance: str) -> None:
        """Let AWS take back all that it announced of an instance and has not done yet."""
        self._ask("withdraw", instance)

    def _ask(self, order: str, instance: str, **more: Any) -> str:
        connection = Connection(self.at, timeout=10)
        try:
            connection.request("POST", f"/{order}", json.dumps({"instance": instance, **more}))
            answer = connection.getresponse()
            said = answer.read().decode()
        except OSError as exc:
            raise LabError(f"the lab's daemon does not answer: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise LabError(f"{order} {instance}: {said}")
        return str(json.loads(said)["at"])
