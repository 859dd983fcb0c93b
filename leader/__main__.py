"""The entry point of `spotswarm-leader`, which systemd starts."""

import asyncio
import sys
from typing import Final

import structlog

from leader import settings
from leader.daemon import Daemon
from runtime import lifecycle, logs, systemd
from runtime.errors import ClusterError
from runtime.faults import Faults

_RETRY_SECONDS: Final = 2


async def _main() -> None:
    log = structlog.get_logger("leader")
    problem, faults = "", Faults()
    while True:
        try:
            values = settings.load()
            break
        except Exception as exc:  # noqa: BLE001  the reason is logged and shown
            reason = str(exc) if isinstance(exc, ClusterError) else faults.note("settings", exc)
            if problem != reason:
                problem = reason
                log.warning("settings are missing or invalid; retrying", reason=problem)
                systemd.notify(READY="1", STATUS=problem)
            systemd.notify(WATCHDOG="1")
            await asyncio.sleep(_RETRY_SECONDS)
    await Daemon(values).run()


def main() -> None:
    """Run the leader daemon until systemd stops it."""
    logs.configure()
    sys.exit(lifecycle.run(_main(), name="leader"))


if __name__ == "__main__":
    main()
