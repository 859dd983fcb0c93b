"""What every layer of tests shares."""

import pytest
from examples import Examples
from randomness import FUZZ
from timings import Timings

from runtime import clock


def pytest_configure(config: pytest.Config) -> None:
    profile = config.getoption("--hypothesis-profile", None)
    config.pluginmanager.register(Examples(is_fuzz=profile == FUZZ))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Timings())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write each test's group into its id, where xdist looks for it.

    xdist 3.8 writes it itself, to an attribute that pytest 9.2 does not read.
    """
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")


@pytest.fixture(autouse=True)
def own_time() -> None:
    """Begin the process's own time anew: the host's clock may have been set since the last test."""
    clock.anchor()
