"""`spotswarm-leader`: the entry of systemd's unit."""

import asyncio
import sys

import structlog

from leader import settings
from leader.daemon import Daemon
from runtime import lifecycle, logs, systemd
from runtime.errors import ClusterError


async def _main() -> None:
    log = structlog.get_logger("leader")
    told = ""
    while True:
        try:
            found = settings.load()
            break
        except ClusterError as exc:
            if told != str(exc):
                told = str(exc)
                log.warning("no settings yet", reason=told)
                systemd.notify(READY="1", STATUS=told)
            systemd.notify(WATCHDOG="1")
            await asyncio.sleep(2)
    await Daemon(found).run()


def main() -> None:
    """Run until told to stop."""
    logs.configure()
    sys.exit(lifecycle.run(_main(), name="leader"))


if __name__ == "__main__":
    main()
