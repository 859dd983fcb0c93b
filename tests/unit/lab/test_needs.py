"""On which hosts a lab starts, and what the others are told."""

from dataclasses import replace

import pytest

from lab.needs import Cgroups, Host, missing

SUITES = ("bookworm", "sid", "trixie")
DEBIAN_12 = Host(
    system="Linux", is_root=True, cgroups=Cgroups.V1, nspawn=252, suites=SUITES, has_keyring=True
)
DEBIAN_13 = replace(DEBIAN_12, cgroups=Cgroups.V2, nspawn=257)
UBUNTU_24_04 = replace(DEBIAN_12, cgroups=Cgroups.V2, nspawn=255, has_keyring=False)


@pytest.mark.parametrize("host", [DEBIAN_12, DEBIAN_13, replace(UBUNTU_24_04, has_keyring=True)])
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_host_with_everything_lacks_nothing(host, suite):
    assert missing(host, suite) == []


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (UBUNTU_24_04, "apt-get install debian-archive-keyring"),
        (replace(DEBIAN_13, is_root=False), "run the command as root"),
        (replace(DEBIAN_13, packages=["debootstrap", "iptables"]), "install debootstrap iptables"),
        (replace(DEBIAN_13, modules=["moto"]), "Python packages moto"),
        (
            replace(DEBIAN_13, suites=("bookworm", "sid")),
            "a debootstrap with a script for Debian",
        ),
        (replace(DEBIAN_12, nspawn=241), "systemd-nspawn 242 or later: this host has version 241"),
        (replace(DEBIAN_12, nspawn=258), "cgroup v2: systemd-nspawn 258 does not support v1"),
        (replace(DEBIAN_12, system="Darwin"), "Linux: this host runs Darwin"),
    ],
)
def test_a_host_that_lacks_something_is_told_what_to_do(host, says):
    (line,) = missing(host, "trixie")
    assert says in line


def test_everything_that_is_missing_is_said_at_once():
    bare = replace(UBUNTU_24_04, is_root=False, packages=["iproute2"], modules=["moto", "rich"])

    assert len(missing(bare, "trixie")) == 4


def test_a_later_nspawn_is_fine_where_cgroups_are_v2():
    assert missing(replace(DEBIAN_13, nspawn=259), "trixie") == []


def test_without_debootstrap_only_the_package_is_named():
    bare = replace(DEBIAN_13, packages=["debootstrap"], suites=())

    assert missing(bare, "trixie") == ["programs: run `apt-get install debootstrap`"]
