"""Runs commands on a machine, accesses its files, journal and engine, and waits for stage changes.

Rule: a command must enter the machine's cgroups before it runs on the machine. Otherwise, the
machine's limits would not apply to the command, and `down` would not find the command's process.
"""

import http
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.host import LabError, run
from lab.machines import cgroups, console, sockets
from lab.machines.record import RUNNING, Record, Stage, read, read_all
from lab.places import Places

_ENGINE: Final = "run/docker.sock"
_LEADER: Final = "run/spotswarm-leader/admin.sock"
_ENV: Final = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=xterm-256color",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a running lab; each property reads the machine's current state."""

    instance: str
    address: str
    hostname: str
    machines: Path

    @property
    def record(self) -> Record:
        """The daemon's latest record of the machine.

        Raises:
            LabError: if the machine does not exist.
        """
        record = read(self.machines, self.instance)
        if record is None:
            raise LabError(f"{self.instance} is gone; `python -m lab status` lists the machines")
        return record

    @property
    def init(self) -> int:
        """The process id, on the host, of the machine's init process.

        Raises:
            LabError: if the machine is not running.
        """
        record = self.record
        if record.init is None or record.stage not in RUNNING:
            raise LabError(f"{self.instance} is not running: its stage is {record.stage}")
        return record.init

    @property
    def root(self) -> Path:
        """The machine's root directory, as a path on the host; the machine must be running."""
        return Path(f"/proc/{self.init}/root")

    @property
    def docker_host(self) -> str:
        """The address of the machine's engine, for `docker -H` on the host."""
        return f"unix://{self.root}/run/docker.sock"

    def command(self, *argv: str) -> list[str]:
        """Return a command that, when run on the host, runs `argv` on the machine as root."""
        groups = [Path(group) for group in self.record.cgroups]
        if cgroups.is_unified():
            # Only leaf cgroups accept processes, and init's own cgroup is a leaf.
            own = Path(f"/proc/{self.init}/cgroup").read_text(encoding="ascii").split("::")[1]
            groups = [cgroups.ROOT / own.strip().lstrip("/")]
        enter = ("nsenter", f"--target={self.init}")
        spaces = ("--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup")
        return cgroups.starting_in(groups, [*enter, *spaces, "--", "env", "-i", *_ENV, *argv])

    def run(
        self,
        *argv: str,
        timeout: float = 30,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - the name in subprocess
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine and wait for it to finish.

        Raises:
            LabError: if the command takes too long, or if it fails and `check` is true.
        """
        return run(*self.command(*argv), check=check, timeout=timeout, stdin=input)

    def journal(self, *units: str, lines: int = 200) -> str:
        """Return the last lines of the machine's journal for `units` (by default, all units)."""
        chosen = [part for unit in units for part in ("-u", unit)]
        options = ("--no-pager", "-o", "short-precise", "-n", str(lines))
        return self.run("journalctl", *options, *chosen, check=False).stdout

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Write a file on the machine atomically."""
        script = 'umask 077; cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", input=text)

    def console(self) -> str:
        """Return the machine's console output since the machine was launched."""
        path = console.path(self.machines, self.instance)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def docker(self, *argv: str, timeout: float = 30) -> str:
        """Run a `docker` command on the machine; return its output."""
        return self.run("docker", *argv, timeout=timeout).stdout

    def ask_engine(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Send a request to the machine's engine; return the HTTP status and the JSON body.

        Raises:
            OSError: if the engine does not respond.
            LabError: if the machine is not running.
        """
        return sockets.ask(self.root / _ENGINE, path, method, body)

    def ask_leader(self, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request to the machine's leader daemon; return the HTTP status and the JSON body.

        If `body` is given, send a POST request.

        Raises:
            OSError: if no leader daemon responds.
            LabError: if the machine is not running.
        """
        method = "GET" if body is None else "POST"
        return sockets.ask(self.root / _LEADER, path, method, body)

    def is_manager_reachable(self) -> bool:
        """Return whether the machine is a manager of a swarm that has a Raft leader."""
        try:
            status, info = self.ask_engine("/info")
        except (OSError, LabError):
            return False
        swarm = info["Swarm"] if status == http.HTTPStatus.OK else {}
        return bool(swarm.get("ControlAvailable")) and not swarm.get("Error")


def find(places: Places, instance: str) -> Machine:
    """Return the machine for the instance with this id.

    Raises:
        LabError: if there is no such machine.
    """
    record = read(places.machines, instance)
    if record is None:
        raise LabError(
            f"no machine {instance} exists; run `python -m lab status` to list the machines"
        )
    return _machine(places, record)


def find_all(places: Places) -> list[Machine]:
    """Return all machines, regardless of their stages."""
    return [_machine(places, record) for record in read_all(places.machines)]


def running_managers(places: Places) -> list[Machine]:
    """Return the managers whose engines respond."""
    return [
        _machine(places, record)
        for record in read_all(places.machines)
        if record.role == "manager" and record.stage is Stage.ENGINE
    ]


def _machine(places: Places, record: Record) -> Machine:
    # From the record that was read: the machine may be gone when the directory is read again.
    return Machine(record.instance, record.address, record.hostname, places.machines)


def last_words(machine: Machine, lines: int = 25) -> str:
    """Return a machine's stage and the end of its journal or console output, for error messages."""
    record = machine.record
    if record.stage in RUNNING:
        units = ("spotswarm-agent", "spotswarm-leader", "docker")
        output = machine.journal(*units, lines=lines)
    else:
        output = machine.console()[-2000:]
    return f"{machine.instance} ({machine.hostname}) is {record.stage}:\n{output}"


def wait_stage(places: Places, instance: str, stages: Collection[Stage], *, within: float) -> None:
    """Wait until an instance's machine is in one of these stages.

    Raises:
        LabError: if this takes more than `within` seconds; the message describes the machine.
    """
    deadline = time.monotonic() + within
    while True:
        record = read(places.machines, instance)
        if record is not None and record.stage in stages:
            return
        if time.monotonic() > deadline:
            wanted = " or ".join(sorted(stages))
            problem = f"{instance} is not {wanted} after {within:.0f} s"
            if record is None:
                raise LabError(f"{problem}: no machine was built; the reason is in {places.log}")
            raise LabError(f"{problem}; {last_words(find(places, instance))}")
        time.sleep(0.05)


def wait_reboot(places: Places, instance: str, init: int | None, *, within: float) -> None:
    """Wait until a machine has rebooted.

    `init` is the id of the machine's init process before the reboot.

    Raises:
        LabError: if this takes more than `within` seconds; the message describes the machine.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        record = read(places.machines, instance)
        if record and record.stage in RUNNING and record.init != init:
            return
        time.sleep(0.05)
    raise LabError(f"{instance} did not boot again; {last_words(find(places, instance))}")
