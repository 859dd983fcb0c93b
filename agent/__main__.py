"""`spotswarm-agent`: the program that systemd starts.

Rule: import nothing heavy at the top; `main` first makes imports cheap. Imports take half of the
time from the start to the grant.
"""

import gc
import sys


def main() -> None:
    """Run until told to stop."""
    # Imported objects live as long as the process: collecting garbage among them is wasted time.
    gc.disable()
    # structlog imports rich, if it is installed, to color tracebacks; the agent has no terminal.
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
