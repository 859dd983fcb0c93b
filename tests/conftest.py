"""What every layer of tests shares."""

import pytest
from timings import Timings


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Timings())
