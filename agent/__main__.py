"""`spotswarm-agent`: the entry of systemd's unit.

Rule: nothing heavy is imported at the top; `main` first makes imports cheap. Half of the time
from the start to the grant is imports.
"""

import gc
import sys


def main() -> None:
    """Run until told to stop."""
    # What imports make lives as long as the process: looking for garbage in it is wasted.
    gc.disable()
    # structlog loads it, if it is there, to paint tracebacks; the agent has no terminal.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from agent.daemon import Daemon  # noqa: PLC0415
    from agent.edges.belongings import Belongings  # noqa: PLC0415
    from agent.edges.metadata import Metadata  # noqa: PLC0415
    from runtime import lifecycle, logs  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    logs.configure()
    sys.exit(lifecycle.run(Daemon(Metadata(), Belongings()).run(), name="agent"))


if __name__ == "__main__":
    main()
