"""`spotswarm-agent`: the program that systemd starts.

Rule: import heavy modules inside `main`, after garbage collection has been disabled. Imports
account for half of the time between the agent starting and the leader granting its join request.
"""

import gc
import sys


def main() -> None:
    """Run the agent until a signal stops the process."""
    # Imported objects live as long as the process, so garbage collection would waste time here.
    gc.disable()
    # If rich is installed, structlog imports it to color tracebacks; the agent has no terminal.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from agent.daemon import Daemon  # noqa: PLC0415
    from agent.edges.files import LocalFiles  # noqa: PLC0415
    from agent.edges.metadata import Metadata  # noqa: PLC0415
    from runtime import lifecycle, logs  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    logs.configure()
    sys.exit(lifecycle.run(Daemon(Metadata(), LocalFiles()).run(), name="agent"))


if __name__ == "__main__":
    main()
