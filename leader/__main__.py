"""The entry point of `spotswarm-leader`, which systemd starts."""

import asyncio
import sys
from typing import Final

import structlog

from leader import settings
from leader.daemon import Daemon
from runtime import lifecycle, logs, systemd
from runtime.errors import ClusterError

_RETRY_SECONDS: Final = 2


async def _main() -> None:
    log = structlog.get_logger("leader")
    problem = ""
    while True:
        try:
            values = settings.load()
            break
        except ClusterError as exc:
            if problem != str(exc):
                problem = str(exc)
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
