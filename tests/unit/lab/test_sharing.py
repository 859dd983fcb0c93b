"""What labs share: kernel settings are raised by the first and restored by the last."""

import pytest

from lab import sharing
from lab.host import LabError
from lab.places import Places

FORWARD, INOTIFY = "net.ipv4.ip_forward", "fs.inotify.max_user_instances"
BEFORE = {FORWARD: 0, INOTIFY: 128}


def lab(tmp_path, name):
    return Places(lab=tmp_path / name, cache=tmp_path / "cache", name=name)


@pytest.fixture
def host(tmp_path):
    """Arguments that stand for a host; it lacks the third setting, as a container does."""
    for name, value in BEFORE.items():
        file = tmp_path / "sys" / name.replace(".", "/")
        file.parent.mkdir(parents=True)
        file.write_text(f"{value}\n")
    return {"run": tmp_path / "run", "sysctl": tmp_path / "sys"}


def settings(host):
    return {name: int((host["sysctl"] / name.replace(".", "/")).read_text()) for name in BEFORE}


def test_the_last_lab_restores_what_the_first_one_raised(tmp_path, host):
    first, second = lab(tmp_path, "demo"), lab(tmp_path, "second")
    sharing.claim(first, **host)
    sharing.claim(second, **host)
    assert settings(host) == {name: sharing.SETTINGS[name] for name in BEFORE}

    sharing.release(first, **host)
    assert settings(host) == {name: sharing.SETTINGS[name] for name in BEFORE}
    sharing.release(second, **host)
    assert settings(host) == BEFORE
    assert not host["run"].exists()


def test_a_lab_that_claims_or_releases_twice_changes_nothing_for_the_other(tmp_path, host):
    first, second = lab(tmp_path, "demo"), lab(tmp_path, "second")
    for places in (first, second, first):
        sharing.claim(places, **host)
    sharing.release(second, **host)
    sharing.release(second, **host)
    assert settings(host)[FORWARD] == 1
    sharing.release(first, **host)
    sharing.release(first, **host)
    assert settings(host) == BEFORE


def test_a_setting_that_is_high_enough_is_left_alone(tmp_path, host):
    file = host["sysctl"] / INOTIFY.replace(".", "/")
    file.write_text("1000000")
    sharing.claim(lab(tmp_path, "demo"), **host)
    assert settings(host)[INOTIFY] == 1000000


def test_two_labs_with_the_same_number_are_not_up_at_once(tmp_path, host):
    taken = lab(tmp_path, "lab-0")
    other = next(
        places
        for number in range(1, 1000)
        if (places := lab(tmp_path, f"lab-{number}")).number == taken.number
    )
    sharing.claim(taken, **host)
    with pytest.raises(LabError, match="choose another name"):
        sharing.claim(other, **host)
    sharing.release(other, **host)
    assert sharing.owner(other, run=host["run"]) == taken.name
    sharing.release(taken, **host)
    sharing.claim(other, **host)


def test_the_labs_on_a_host_are_found_by_their_numbers(tmp_path, host):
    assert sharing.names(run=host["run"]) == []
    for name in ("second", "demo"):
        sharing.claim(lab(tmp_path, name), **host)
    assert sharing.names(run=host["run"]) == ["demo", "second"]
