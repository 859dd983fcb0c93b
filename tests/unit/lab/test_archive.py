"""Where the host reaches Debian's archive, and what is shown when the archive fails."""

import pytest

from lab import archive
from lab.host import LabError

TARGETS = """\
http://packages.example/node|bookworm|main
http://mirror.example/debian/|bookworm-updates|main
http://mirror.example/debian/|bookworm|contrib
http://mirror.example/debian/|bookworm|main
http://mirror.example/debian-security/|bookworm-security|main
"""
APT = """\
Get:1 http://mirror.example/debian trixie InRelease [140 kB]
Err:2 http://mirror.example/debian testing InRelease
  404  Not Found [IP: 192.0.2.1 80]
Reading package lists...
E: The repository 'http://mirror.example/debian testing Release' does not have a Release file.
"""


def test_a_debian_hosts_archive_is_the_one_with_its_release_and_main():
    assert archive.mirror_in(TARGETS, "bookworm") == "http://mirror.example/debian/"


def test_a_vendor_that_reuses_the_releases_name_is_not_the_archive():
    assert archive.mirror_in(TARGETS.splitlines()[0], "bookworm") == ""


def test_a_mirror_that_is_set_is_used_whatever_the_host_is(monkeypatch):
    monkeypatch.setenv(archive.MIRROR, "http://other.example/debian")

    assert archive.mirror() == "http://other.example/debian"


def test_what_the_archive_answered_is_told_and_that_it_is_not_our_fault(monkeypatch):
    monkeypatch.setenv(archive.MIRROR, "http://mirror.example/debian")

    with (
        pytest.raises(archive.ArchiveError) as caught,
        archive.delivering("the engine (docker.io)", "testing"),
    ):
        raise LabError(f"`systemd-nspawn …` failed (100): {APT}")

    told = str(caught.value)
    assert told.startswith(
        "could not get the engine (docker.io) for Debian 'testing' from the archive "
        "(http://mirror.example/debian):"
    )
    assert "E: The repository" in told
    assert "Get:1" not in told
    assert "fault is not in the lab" in told


def test_a_failure_without_error_lines_shows_the_end_of_the_output():
    assert archive.answer_in("one\ntwo\n") == "  one\n  two"
