"""Which engines there are, and which version an image has."""

import pytest

from lab import engines
from lab.host import LabError

STATUS = """\
Package: docker-cli
Status: install ok installed
Version: 26.1.5+dfsg1-9+b9

Package: docker.io
Status: install ok installed
Depends: adduser, containerd (>= 1.2)
Description: Linux container runtime
 Docker complements kernel namespacing: a high-level API.
Version: 26.1.5+dfsg1-9+b11
"""


def test_an_images_engine_is_the_one_its_package_database_names():
    assert engines.version_in(STATUS, "docker.io") == "26.1.5+dfsg1-9+b11"


def test_an_image_without_an_engine_has_no_version():
    assert engines.version_in(STATUS, "podman") == ""


def test_of_two_layers_the_upper_ones_engine_counts(tmp_path):
    lower, upper, code = tmp_path / "lower", tmp_path / "upper", tmp_path / "code"
    for layer, version in ((lower, "26.1.5"), (upper, "28.5.2")):
        (layer / "var/lib/dpkg").mkdir(parents=True)
        text = STATUS.replace("26.1.5+dfsg1-9+b11", version)
        (layer / "var/lib/dpkg/status").write_text(text, encoding="utf-8")

    assert engines.package_version([code, upper, lower]) == "28.5.2"


def test_the_usual_engine_is_one_of_those_there_are():
    assert engines.choose(engines.DEFAULT).name == engines.DEFAULT


def test_an_unknown_engine_is_refused_with_those_there_are():
    with pytest.raises(LabError, match=r"no engine 17\.03; choose one of 20\.10, 26\.1, 28\.5"):
        engines.choose("17.03")
