"""Two instances for the tests of the market."""

from dataclasses import replace

import pytest

from lab.aws.cloud import Instance


@pytest.fixture
def spot() -> Instance:
    return Instance(
        id="i-0123456789abcdef0",
        address="10.98.0.4",
        state="running",
        zone="eu-central-1b",
        type="t3.small",
        is_spot=True,
        role="spotswarm-worker",
        image="ami-1",
        user_data=None,
        hop_limit=1,
        shows_tags=False,
        ends_on_shutdown=True,
    )


@pytest.fixture
def on_demand(spot: Instance) -> Instance:
    return replace(spot, id="i-0fedcba9876543210", is_spot=False, ends_on_shutdown=False)
