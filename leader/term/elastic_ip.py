"""Keeps the Elastic IP associated with the leading manager's instance.

Rule: a failure never ends the term, because agents may be able to reach this manager at another
address. The status shows the problem instead.
"""

import asyncio
from typing import Final

import structlog

from leader.edges.aws import address
from leader.edges.aws.clients import Aws
from runtime.errors import ClusterError, GoneError
from runtime.faults import Faults

log = structlog.get_logger("leader")

RETRY_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 60.0


class ElasticIp:
    """Takes the Elastic IP over, and looks every minute whether it is still ours."""

    def __init__(self, allocation: str | None, *, instance: str, faults: Faults) -> None:
        self._allocation = allocation
        self._instance = instance
        self._faults = faults
        self.problem = ""
        """Why the Elastic IP could not be taken over, or an empty string."""

    async def keep(self, aws: Aws | None) -> None:
        """Keep the Elastic IP until cancelled; outside AWS or without one, only wait."""
        self.problem = ""
        while aws is not None and self._allocation is not None:
            problem = "the leader has a fault; the journal has its traceback"
            with self._faults.contained("the Elastic IP"):
                problem = await self._take(aws, self._allocation)
            if problem and problem != self.problem:
                log.warning("could not take over the Elastic IP; retrying", reason=problem)
            self.problem = problem
            await asyncio.sleep(RETRY_SECONDS if problem else _CHECK_SECONDS)
        await asyncio.Event().wait()

    async def _take(self, aws: Aws, allocation: str) -> str:
        """Take the Elastic IP; return why this failed, or an empty string."""
        try:
            if await address.take(aws, allocation=allocation, instance=self._instance):
                log.info("took over the Elastic IP", allocation=allocation)
        except GoneError as exc:
            return (
                f"the Elastic IP {allocation} does not exist ({exc}); correct elastic_ip in the"
                " managers' user data"
            )
        except ClusterError as exc:
            return str(exc)
        return ""
