"""A machine from its administrator's view: commands, files, journal, engine; how to wait for it.

Rule: a command in a machine enters the machine's cgroups first. Otherwise the machine's limits
would not apply to it, and `down` would not find it.
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
    """One machine of the lab that is up; every property reads the current state."""

    instance: str
    address: str
    hostname: str
    machines: Path

    @property
    def record(self) -> Record:
        """The daemon's latest record.

        Raises:
            LabError: the machine does not exist.
        """
        record = read(self.machines, self.instance)
        if record is None:
            raise LabError(f"{self.instance} is gone; `python -m lab status` lists the machines")
        return record

    @property
    def init(self) -> int:
        """Process id of its init on the host.

        Raises:
            LabError: the machine does not run.
        """
        record = self.record
        if record.init is None or record.stage not in RUNNING:
            raise LabError(f"{self.instance} does not run: it is {record.stage}")
        return record.init

    @property
    def root(self) -> Path:
        """Its file system while it runs."""
        return Path(f"/proc/{self.init}/root")

    @property
    def docker_host(self) -> str:
        """The address for `docker -H` on the host."""
        return f"unix://{self.root}/run/docker.sock"

    def command(self, *argv: str) -> list[str]:
        """The command for the host that runs `argv` in the machine, as root."""
        groups = [Path(group) for group in self.record.cgroups]
        if cgroups.is_unified():
            # Only leaf cgroups accept processes; init's own is a leaf.
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
        """Run a command in the machine to its end.

        Raises:
            LabError: the command failed and `check` is set, or it took too long.
        """
        return run(*self.command(*argv), check=check, timeout=timeout, stdin=input)

    def journal(self, *units: str, lines: int = 200) -> str:
        """The last lines of the journal, of all units or of some."""
        chosen = [part for unit in units for part in ("-u", unit)]
        options = ("--no-pager", "-o", "short-precise", "-n", str(lines))
        return self.run("journalctl", *options, *chosen, check=False).stdout

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Write a file in the machine, whole or not at all."""
        script = 'umask 077; cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", input=text)

    def console(self) -> str:
        """The console output since the launch."""
        path = console.path(self.machines, self.instance)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def docker(self, *argv: str, timeout: float = 30) -> str:
        """The output of a docker command in the machine."""
        return self.run("docker", *argv, timeout=timeout).stdout

    def ask_engine(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Status and JSON of a request to its engine.

        Raises:
            OSError: the engine does not answer.
            LabError: the machine does not run.
        """
        return sockets.ask(self.root / _ENGINE, path, method, body)

    def ask_leader(self, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of a request to its leader daemon; a `body` is posted.

        Raises:
            OSError: no leader daemon answers.
            LabError: the machine does not run.
        """
        method = "GET" if body is None else "POST"
        return sockets.ask(self.root / _LEADER, path, method, body)

    def is_manager_reachable(self) -> bool:
        """Whether its engine is a manager of a swarm that has a leader."""
        try:
            status, info = self.ask_engine("/info")
        except (OSError, LabError):
            return False
        swarm = info["Swarm"] if status == http.HTTPStatus.OK else {}
        return bool(swarm.get("ControlAvailable")) and not swarm.get("Error")


def find(places: Places, instance: str) -> Machine:
    """The machine of an instance.

    Raises:
        LabError: the instance has no machine, or not yet.
    """
    record = read(places.machines, instance)
    if record is None:
        raise LabError(f"no machine {instance}; `python -m lab status` lists them")
    return Machine(record.instance, record.address, record.hostname, places.machines)


def find_all(places: Places) -> list[Machine]:
    """All machines, in whatever stage."""
    return [find(places, record.instance) for record in read_all(places.machines)]


def running_managers(places: Places) -> list[Machine]:
    """The managers whose engines answer."""
    return [
        find(places, record.instance)
        for record in read_all(places.machines)
        if record.role == "manager" and record.stage is Stage.ENGINE
    ]


def last_words(machine: Machine, lines: int = 25) -> str:
    """The stage of a machine and the end of its journal, for a person."""
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
        LabError: it is not after `within` seconds; quotes the end of its journal.
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
                raise LabError(f"{problem}; no machine was built, see {places.log}")
            raise LabError(f"{problem}; {last_words(find(places, instance))}")
        time.sleep(0.05)


def wait_reboot(places: Places, instance: str, init: int | None, *, within: float) -> None:
    """Wait until a machine runs with another init than this one.

    Raises:
        LabError: it does not after `within` seconds; quotes the end of its journal.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        record = read(places.machines, instance)
        if record and record.stage in RUNNING and record.init != init:
            return
        time.sleep(0.05)
    raise LabError(f"{instance} did not boot again; {last_words(find(places, instance))}")
