"""Which versions of Docker's API are enough."""

import pytest

from runtime.engine_api import ApiVersion, require
from runtime.errors import RefusedError

LOWEST = ApiVersion(1, 41)


@pytest.mark.parametrize("offered", ["v1.41", "1.41", "1.100", "2.0"])
def test_the_lowest_version_and_every_later_one_is_enough(offered):
    require(offered, LOWEST, engine="20.10")


@pytest.mark.parametrize("offered", ["v1.40", "1.9", "0.99"])
def test_an_older_version_is_refused_with_the_engine_to_install(offered):
    with pytest.raises(RefusedError, match=r"1\.41 is needed; install Docker 20\.10 or later"):
        require(offered, LOWEST, engine="20.10")


@pytest.mark.parametrize("offered", ["", "auto", "1", "1.x", "1.41-dev"])
def test_what_is_no_version_is_refused(offered):
    with pytest.raises(RefusedError, match="is invalid"):
        require(offered, LOWEST, engine="20.10")
