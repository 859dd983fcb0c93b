"""Programs the contract tests start: a test whose program is missing fails, and is not skipped."""

import shutil

import pytest


def needs(program: str) -> str:
    """The program's path; the test fails when it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(
            f"{program} is not installed: apt-get install docker.io redis-server iproute2"
            " busybox-static"
        )
    return found
