"""`down` leaves nothing, whatever happened to the lab before.

Runs before the scenarios, by its name: one lab at a time fits on a host.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import sweep
from lab.client import Lab
from lab.host import LabError
from lab.machines import cgroups, firewall, net
from lab.machines.record import Stage, read_all
from lab.places import CHAIN_PREFIX, Places

REPOSITORY = Path(__file__).resolve().parents[2]
SYSCTLS = (
    "net/ipv4/ip_forward",
    "fs/inotify/max_user_instances",
    "kernel/dmesg_restrict",
    "kernel/kptr_restrict",
    "kernel/pid_max",
    "vm/max_map_count",
)


@pytest.fixture
def places() -> Iterator[Places]:
    here = Places.here()
    if left := sweep.remains(here):
        pytest.fail(f"a lab is up ({left[0]}): take it down with `python -m lab down`")
    yield here
    sweep.sweep(here)


def on_host() -> dict[str, object]:
    """What a lab changes on the host, asked of the host and not of the lab's own code."""

    def said(*argv: str) -> str:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    groups = [str(at) for at in Path("/sys/fs/cgroup").rglob("spotswarm-lab")]
    mounts = Path("/proc/mounts").read_text()
    rules = said("iptables-save")
    return {
        "cgroups": groups,
        "mounts": [line for line in mounts.splitlines() if "spotswarm-lab" in line],
        "namespaces": [line for line in said("ip", "netns").splitlines() if "ssw-" in line],
        "links": [line for line in said("ip", "-o", "link").splitlines() if "ssw" in line],
        "rules": [line for line in rules.splitlines() if CHAIN_PREFIX in line],
        "routes": [line for line in said("ip", "route").splitlines() if "10.9" in line],
        "sysctls": [(Path("/proc/sys") / name).read_text().strip() for name in SYSCTLS],
        "nspawn": said("sh", "-c", "ps -eo args | grep '[m]achine=ssw-' || true").splitlines(),
        "directory": Places.here().lab.exists(),
    }


def command(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lab", *argv],
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
    lab = Lab.up(managers=0, workers=0)
    launched = lab.launch(count=machines, user_data="", agent_enabled=False)
    return lab, launched


def test_after_down_the_host_is_as_it_was(places: Places) -> None:
    before = on_host()
    lab, launched = begun()
    lab.wait_machines(*launched)
    during = on_host()
    lab.down()

    assert all(during[what] for what in ("cgroups", "mounts", "namespaces", "links", "rules"))
    assert during["routes"]
    assert on_host() == before


def test_a_daemon_killed_with_machines_up_leaves_nothing_after_down(places: Places) -> None:
    before = on_host()
    lab, launched = begun(3)
    lab.wait_machines(*launched)
    lab.machine(launched[0]).run("sh", "-c", "sleep 600 >/dev/null 2>&1 &")
    lab.kill(launched[1])
    os.kill(daemon_of(places), signal.SIGKILL)

    assert lab.machine(launched[2]).run("true").returncode == 0, "machines outlive the daemon"
    assert command("down").returncode == 0
    assert on_host() == before


def test_a_daemon_killed_while_machines_are_built_leaves_nothing(places: Places) -> None:
    before = on_host()
    _, launched = begun(4)
    while not any(record.stage is Stage.BOOTED for record in read_all(places.machines)):
        time.sleep(0.01)
    os.kill(daemon_of(places), signal.SIGKILL)

    assert len(launched) == 4
    assert command("down").returncode == 0
    assert on_host() == before


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
        assert "the lab is down" in done.stdout


def test_up_on_top_of_a_crashed_lab_says_how_to_take_it_down(places: Places) -> None:
    lab, _ = begun(0)
    os.kill(daemon_of(places), signal.SIGKILL)

    with pytest.raises(LabError, match="python -m lab down"):
        Lab.up(managers=0, workers=0)
    with pytest.raises(LabError, match="python -m lab up"):
        Lab.attach()
    lab.down()


def test_an_interrupted_bake_is_swept(places: Places) -> None:
    """What a bake starts is in the lab's cgroups, and what it makes is below `building-`."""
    half = places.cache / "building-test"
    (half / "merged").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "test", str(half / "merged")], check=True)
    groups = cgroups.create("bake")
    orphan = subprocess.Popen(cgroups.starting_in(groups, ["sleep", "600"]))
    while not cgroups.processes(groups):
        time.sleep(0.01)

    assert sweep.sweep(places) == []

    assert orphan.wait(5) == -signal.SIGKILL
    assert not half.exists()


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
    assert firewall.remains("filter") == firewall.remains("nat") == []
    assert net.links() == net.namespaces() == []
