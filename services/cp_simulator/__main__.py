"""Run the simulator: `python -m services.cp_simulator`."""

import sys

from runtime.web import serve

from runtime import lifecycle, logs
from services.cp_simulator.app import simulator
from services.cp_simulator.settings import Settings


async def _live() -> None:
    settings = Settings()
    await serve(simulator(settings), settings)


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="cp_simulator"))
