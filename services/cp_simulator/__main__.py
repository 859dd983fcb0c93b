"""Entry point: run the simulator with `python -m services.cp_simulator`."""

from runtime.web.application import main, serve
from services.cp_simulator.app import simulator
from services.cp_simulator.settings import Settings


async def _live(settings: Settings) -> None:
    await serve(simulator(settings), settings)


if __name__ == "__main__":
    main("cp_simulator", Settings, _live)
