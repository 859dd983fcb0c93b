"""`down` leaves nothing, whatever happened to the lab before, and touches no other lab.

These labs have names of their own, so that others may be up on the host.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from owning import own

from lab import sharing, sweep
from lab.client import Lab
from lab.host import LabError
from lab.machines import cgroups, firewall, net
from lab.machines.machine import Machine
from lab.machines.record import RUNNING, read_all
from lab.places import Places

REPOSITORY = Path(__file__).resolve().parents[2]
NAME, BESIDE = "clean-up", "beside"
SYSCTLS = (
    "kernel/dmesg_restrict",
    "kernel/kptr_restrict",
    "kernel/pid_max",
    "vm/max_map_count",
)


@pytest.fixture
def places() -> Iterator[Places]:
    own(BESIDE)
    here = own(NAME)
    yield here
    sweep.sweep(here)


def on_host(places: Places) -> dict[str, object]:
    """What this lab changes on the host, asked of the host and not of the lab's own code."""

    def said(*argv: str) -> str:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    groups = [str(at) for at in Path("/sys/fs/cgroup").rglob(places.cgroup)]
    mounts = Path("/proc/mounts").read_text()
    rules = said("iptables-save")
    return {
        "cgroups": groups,
        "mounts": [line for line in mounts.splitlines() if str(places.lab) in line],
        "namespaces": named(said("ip", "netns"), f"ssw{places.number}-"),
        "links": named(said("ip", "-o", "link"), f"ssw{places.number}-", f"sswv{places.number}-"),
        "rules": named(rules, f"SPOTSWARM{places.number}-"),
        "routes": named(said("ip", "route"), f".{places.number}.0/24", f".{places.number}.10"),
        "sysctls": read_settings(*SYSCTLS),
        "shared": read_settings(*(name.replace(".", "/") for name in sharing.SETTINGS)),
        "others": sorted(at.name for at in Path("/run").glob("spotswarm-lab/number-*")),
        "nspawn": named(said("ps", "-eo", "args"), f"--machine=ssw{places.number}-"),
        "directory": places.lab.exists(),
    }


def named(text: str, *names: str) -> list[str]:
    return [line for line in text.splitlines() if any(name in line for name in names)]


def read_settings(*names: str) -> list[str]:
    paths = [Path("/proc/sys") / name for name in names]
    return [path.read_text().strip() for path in paths if path.exists()]


def assert_as_it_was(places: Places, before: Mapping[str, object]) -> None:
    """All that is this lab's is gone; what labs share is as it was unless another lab needs it."""
    after = on_host(places)
    ignored = {"others"}
    if before["others"] or after["others"]:
        ignored.add("shared")
    assert {what: after[what] for what in after if what not in ignored} == {
        what: before[what] for what in before if what not in ignored
    }


def command(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lab", "--name", NAME, *argv],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def daemon_of(places: Places) -> int:
    found = sweep.daemon(places)
    assert found is not None
    return found


def begun(machines: int = 2) -> tuple[Lab, list[str]]:
    lab = Lab.up(name=NAME, managers=0, workers=0)
    launched = lab.launch(count=machines, user_data="", agent_enabled=False)
    return lab, launched


def test_after_down_the_host_is_as_it_was(places: Places) -> None:
    before = on_host(places)
    lab, launched = begun()
    lab.wait_machines(*launched)
    during = on_host(places)
    lab.down()

    assert all(during[what] for what in ("cgroups", "mounts", "namespaces", "links", "rules"))
    assert during["routes"]
    assert_as_it_was(places, before)


def test_a_daemon_killed_with_machines_up_leaves_nothing_after_down(places: Places) -> None:
    before = on_host(places)
    lab, launched = begun(3)
    lab.wait_machines(*launched)
    lab.machine(launched[0]).run("sh", "-c", "sleep 600 >/dev/null 2>&1 &")
    lab.kill(launched[1])
    os.kill(daemon_of(places), signal.SIGKILL)

    assert lab.machine(launched[2]).run("true").returncode == 0, "machines outlive the daemon"
    assert command("down").returncode == 0
    assert_as_it_was(places, before)


def test_a_daemon_killed_while_machines_are_built_leaves_nothing(places: Places) -> None:
    before = on_host(places)
    _, launched = begun(4)
    while not any(record.stage in RUNNING for record in read_all(places.machines)):
        time.sleep(0.01)
    os.kill(daemon_of(places), signal.SIGKILL)

    assert len(launched) == 4
    assert command("down").returncode == 0
    assert_as_it_was(places, before)


def test_a_shell_left_open_in_a_machine_does_not_hold_it(places: Places) -> None:
    lab, launched = begun(1)
    (machine,) = lab.wait_machines(*launched)
    shell = subprocess.Popen(machine.command("sleep", "600"))
    time.sleep(0.5)

    lab.down()

    assert shell.wait(5) != 0


def test_down_twice_and_down_of_nothing_are_fine(places: Places) -> None:
    for _ in range(2):
        done = command("down")
        assert done.returncode == 0
        assert "there is nothing to take down" in done.stdout


def test_up_on_top_of_a_crashed_lab_says_how_to_take_it_down(places: Places) -> None:
    lab, _ = begun(0)
    os.kill(daemon_of(places), signal.SIGKILL)

    with pytest.raises(LabError, match="python -m lab --name clean-up down"):
        Lab.up(name=NAME, managers=0, workers=0)
    with pytest.raises(LabError, match="python -m lab --name clean-up up"):
        Lab.attach(NAME)
    lab.down()


def test_an_interrupted_bake_is_swept(places: Places) -> None:
    """What a bake starts is in the lab's cgroups, and what it makes is below `building-`."""
    half = places.cache / "building-clean-up.test"
    others = places.cache / "building-other.test"
    (half / "merged").mkdir(parents=True)
    others.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "test", str(half / "merged")], check=True)
    groups = cgroups.create(places.cgroup, "bake")
    orphan = subprocess.Popen(cgroups.starting_in(groups, ["sleep", "600"]))
    while not cgroups.processes(groups):
        time.sleep(0.01)

    assert sweep.sweep(places) == []

    assert orphan.wait(5) == -signal.SIGKILL
    assert not half.exists()
    assert others.exists(), "another lab may be baking"
    others.rmdir()


def test_rules_and_links_of_others_are_left_alone(places: Places) -> None:
    mine = ["FORWARD", "-s", "198.51.100.7", "-j", "ACCEPT"]
    subprocess.run(["iptables", "-w", "-A", *mine], check=True)
    try:
        lab, _ = begun(0)
        lab.down()
        kept = subprocess.run(["iptables", "-w", "-C", *mine], check=False).returncode
    finally:
        subprocess.run(["iptables", "-w", "-D", *mine], check=True)

    assert kept == 0
    assert firewall.remains(places, "filter") == firewall.remains(places, "nat") == []
    assert net.links(places) == net.namespaces(places) == []


def test_a_lab_beside_another_has_its_own_cloud_and_leaves_the_other_alone(places: Places) -> None:
    """Both serve 169.254.169.254; each machine learns who it is from its own lab."""
    lab, launched = begun(1)
    beside = Lab.up(name=BESIDE, managers=0, workers=0)
    try:
        others = beside.launch(count=1, user_data="", agent_enabled=False)
        (machine,) = lab.wait_machines(*launched)
        (other,) = beside.wait_machines(*others)
        assert who_it_is(machine) == machine.instance
        assert who_it_is(other) == other.instance
        assert machine.address.rsplit(".", 1)[0] != other.address.rsplit(".", 1)[0]
        before = on_host(places)

        beside.down()

        assert sweep.remains(beside.places) == []
        assert_as_it_was(places, before)
        assert who_it_is(machine) == machine.instance
        assert [one["InstanceId"] for one in instances(lab)] == launched
    finally:
        sweep.sweep(beside.places)


def who_it_is(machine: Machine) -> str:
    """The instance's id by the metadata service, asked from the machine."""
    script = (
        "token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60'"
        " http://169.254.169.254/latest/api/token);"
        ' curl -sf -H "X-aws-ec2-metadata-token: $token"'
        " http://169.254.169.254/latest/meta-data/instance-id"
    )
    return machine.run("sh", "-c", script).stdout


def instances(lab: Lab) -> list[dict[str, str]]:
    reservations = lab.aws("ec2").describe_instances()["Reservations"]
    return [one for held in reservations for one in held["Instances"]]
