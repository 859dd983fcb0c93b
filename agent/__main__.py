"""`spotswarm-agent`: the entry of systemd's unit."""

import sys

from agent.daemon import Daemon
from agent.edges.belongings import Belongings
from agent.edges.metadata import Metadata
from runtime import lifecycle, logs


def main() -> None:
    """Run until told to stop."""
    logs.configure()
    sys.exit(lifecycle.run(Daemon(Metadata(), Belongings()).run(), name="agent"))


if __name__ == "__main__":
    main()
