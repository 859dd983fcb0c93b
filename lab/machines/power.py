"""Builds, boots, shuts down and destroys machines.

Rule: `kill -9` on the nspawn process does not stop a machine, because the machine's init process
keeps running. To cut the power, kill the init process; the kernel then kills all processes in the
machine's pid namespace.

All functions here block, so the daemon calls them in threads.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.host import LabError, remove_trees, run
from lab.machines import cgroups, console, layer, net
from lab.machines.record import Record
from lab.places import EFS, Places

_POWEROFF: Final = signal.SIGRTMIN + 4
"""The signal that makes systemd power off; see systemd(1)."""
REBOOT: Final = signal.SIGRTMIN + 5
REBOOTED: Final = 133
"""nspawn's exit code if the machine reboots."""
_SERVER: Final = re.compile(r"^Server: Docker/(\S+)", re.MULTILINE)
PROPAGATE: Final = Path("/run/systemd/nspawn/propagate")


def build(places: Places, planned: Record, *, layers: str, agent: bool) -> Record:
    """Create a machine's disk and cgroups; return the machine's record."""
    instance, address, machines = planned.instance, planned.address, places.machines
    groups = cgroups.create(places.cgroup, instance)
    record = replace(planned, cgroups=tuple(str(group) for group in groups))
    # Write the record first, so that `destroy` can remove a half-built machine.
    record.write(machines)
    at = machines / instance
    upper = at / "upper"
    for name in ("upper/etc", "work", "root", "docker"):
        (at / name).mkdir(parents=True, exist_ok=True)
    (upper / "etc/hostname").write_text(f"{record.hostname}\n", encoding="ascii")
    (upper / "etc/hosts").write_text(
        f"127.0.0.1 localhost\n{address} {record.hostname}\n", encoding="ascii"
    )
    # If this file were empty, systemd would write the same id in all machines.
    (upper / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    if not agent:
        layer.mask(upper, layer.AGENT_UNITS)
    options = f"lowerdir={layers},upperdir={upper},workdir={at / 'work'}"
    run(
        "mount",
        "-t",
        "overlay",
        places.namespace_prefix + instance,
        "-o",
        options,
        str(at / "root"),
    )
    return record


def switch_on(places: Places, record: Record) -> "tuple[subprocess.Popen[bytes], int]":
    """Boot a machine; return the nspawn process and the id of the machine's init process.

    Raises:
        LabError: if the init process does not start; the message includes the console output.
    """
    at = places.machines / record.instance
    name = places.namespace_prefix + record.instance
    argv = (
        "systemd-nspawn",
        "--boot",
        "--quiet",
        # The host may not run systemd, so do not register with a manager or create a unit.
        "--register=no",
        "--keep-unit",
        f"--machine={name}",
        f"--hostname={record.hostname}",
        f"--directory={at / 'root'}",
        f"--network-namespace-path=/run/netns/{name}",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        # An engine needs most capabilities, and has all of them on EC2.
        "--capability=all",
        # The engine's own overlays do not work on top of an overlay.
        f"--bind={at / 'docker'}:/var/lib/docker",
        f"--bind={places.efs}:{EFS}",
        *cgroups.boot_options(),
    )
    env = {
        **os.environ,
        "SYSTEMD_SECCOMP": "0",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes",
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": str(int(cgroups.is_unified())),
    }
    net.replug(places, record.instance, record.address)
    console_log = console.path(places.machines, record.instance)
    with console_log.open("ab") as out:
        process = subprocess.Popen(
            cgroups.starting_in([Path(group) for group in record.cgroups], argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            start_new_session=True,
        )
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if init := _init_of(process.pid):
            return process, init
        time.sleep(0.02)
    process.kill()
    process.wait()
    shown = console_log.read_text(encoding="utf-8", errors="replace")[-1000:]
    raise LabError(f"the machine {record.instance} did not boot: {shown}")


def engine_version(record: Record) -> str:
    """Return the engine's version, or an empty string if the engine is not serving its API yet.

    This function connects to the engine's socket only after the engine has started. The socket
    exists before that, but a connection would make systemd start the engine.
    """
    run_directory = Path(f"/proc/{record.init}/root/run")
    if not (run_directory / "docker.pid").exists():
        return ""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(2)
        try:
            sock.connect(str(run_directory / "docker.sock"))
            sock.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            answer = sock.recv(4096).decode(errors="replace")
        except OSError:
            return ""
    version = _SERVER.search(answer)
    return version[1] if version and " 200 " in answer else ""


def shut_down(process: "subprocess.Popen[bytes]", record: Record, *, within: float) -> None:
    """Power the machine off as EC2 does; cut the power if this takes more than `within` seconds."""
    send(record, _POWEROFF)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(within)
        return
    send(record, signal.SIGKILL)
    process.wait()


def send(record: Record, number: int) -> None:
    """Send a signal to a machine's init process; do nothing if the process has ended."""
    if record.init is not None and is_init(record):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.init, number)


def is_init(record: Record) -> bool:
    """Return whether the recorded process id still belongs to this machine's init process."""
    groups = [Path(group) for group in record.cgroups]
    return record.init in cgroups.processes(groups)


def destroy(places: Places, record: Record) -> None:
    """Remove everything that belongs to a machine, unless it has already been removed.

    Raises:
        LabError: if the machine's disk is still in use.
    """
    machines = places.machines
    groups = [Path(group) for group in record.cgroups]
    left = cgroups.kill(groups)
    root = machines / record.instance / "root"
    for _ in range(40):
        if not root.is_mount() or run("umount", str(root), check=False).returncode == 0:
            break
        time.sleep(0.05)
    if left or root.is_mount():
        raise LabError(
            f"could not destroy the machine {record.instance}, because its disk is still in use "
            f"(processes: {sorted(left)})"
        )
    net.unplug(places, record.instance, record.address)
    cgroups.remove(groups)
    with contextlib.suppress(OSError):
        (PROPAGATE / (places.namespace_prefix + record.instance)).rmdir()
    console.keep(machines, record.instance)
    remove_trees(machines / record.instance)


def hostname(address: str) -> str:
    """Return the host name that EC2 gives an instance with this private address."""
    return "ip-" + address.replace(".", "-")


def is_ours(places: Places, address: str) -> bool:
    """Return whether an address is in the lab's network and does not belong to the gateway."""
    return any(address == str(host) for host in list(places.network.hosts())[1:])


def _init_of(nspawn: int) -> int | None:
    try:
        children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text(encoding="ascii")
        for child in map(int, children.split()):
            status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            innermost = fields.get("NSpid", "0").split()[-1]
            if innermost == "1" and fields["Name"].strip() == "systemd":
                return child
    except OSError:
        return None
    return None
