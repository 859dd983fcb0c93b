"""What must be there before the first round: Ansible, its layer for the machines, a lab.

Everything slow is kept in the lab's cache under the hash of what went in. Rule: the agent's
machines and Ansible's are the same ones, so what Ansible needs is in all of them.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import cluster, sweep
from lab.client import EXTRA_LAYER, Lab
from lab.engines import DEFAULT, choose
from lab.host import LabError, check_needs, run
from lab.machines import image
from lab.machines.machine import Machine
from lab.places import Places

ANSIBLE: Final = "12.3.0"
"""The `ansible` package of PyPI; it holds community.docker."""
_PACKAGES: Final = ("openssh-server", "python3-docker", "python3-requests")
_UNIT: Final = "spotswarm-agent.service"
_INSTALL: Final = """\
mount -t overlay bench -o "lowerdir=$1,upperdir=$2/layer,workdir=$2/scratch" "$2/merged"
cd "$2/merged"
mount -t proc proc proc
mount --rbind /dev dev
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
  [ -e ".$file" ] || touch ".$file"
  mount --bind "$file" ".$file"
done
mount --bind /etc/apt/apt.conf.d etc/apt/apt.conf.d
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod +x usr/sbin/policy-rc.d
shift 2
chroot . apt-get update -q
chroot . env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
chroot . apt-get clean
rm -rf var/lib/apt/lists/* usr/sbin/policy-rc.d
"""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """The lab that is up, and what Ansible is run with."""

    lab: Lab
    manager: Machine
    workers: list[Machine]
    ansible: Path
    """Directory of Ansible's programs."""
    key: Path
    """Opens every worker's ssh."""


@contextmanager
def prepared(workers: int, *, report: Report) -> Iterator[Ground]:
    """A lab of one manager and idle workers, taken down at the end, come what may.

    Raises:
        LabError: another lab is up, or something does not come up.
    """
    check_needs(choose(DEFAULT).suite)
    places = Places.here()
    ansible = _install_ansible(places.cache / "bench", report)
    layer, key = _bake_layer(places, report)
    os.environ[EXTRA_LAYER] = str(layer)
    name = f"bench-{os.getpid()}"
    try:
        lab = Lab.up(managers=1, workers=0, cluster_name=name, report=report)
        report("waiting for the manager")
        lab.wait_nodes(1, within=120)
        report(f"booting {workers} workers")
        names = lab.launch(count=workers, agent_enabled=False)
        machines = lab.wait_machines(*names, within=120)
        for machine in machines:
            _lay_unit(machine)
        manager = next(one for one in lab.machines() if one.record.role == "manager")
        yield Ground(lab, manager, machines, ansible, key)
    finally:
        if is_up(places, name):
            report("taking the lab down")
            if left := sweep.sweep(places):
                raise LabError("could not remove: " + "; ".join(left))


def is_up(places: Places, name: str) -> bool:
    """Whether the lab that is up is the one of this cluster; another's is left alone."""
    pid = sweep.daemon(places)
    try:
        return name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _lay_unit(machine: Machine) -> None:
    # Not `systemctl unmask`: the mask lies over the unit in the same directory, and taking it
    # away from an overlay takes the unit below along.
    text = (cluster.REPOSITORY / "ami/units" / _UNIT).read_text(encoding="utf-8")
    machine.write(f"/etc/systemd/system/{_UNIT}", text, 0o644)
    machine.run("systemctl", "daemon-reload")


def _install_ansible(cache: Path, report: Report) -> Path:
    venv = cache / f"ansible-{ANSIBLE}"
    done = venv / "done"
    if not done.exists():
        report(f"installing ansible {ANSIBLE} from PyPI (once; a minute)")
        shutil.rmtree(venv, ignore_errors=True)
        # Not moved into place: a venv's programs know where they are.
        run(sys.executable, "-m", "venv", str(venv), timeout=120)
        uv = Path(sys.executable).with_name("uv")
        python = str(venv / "bin/python")
        pip = (uv, "pip", "install", "--python", python) if uv.exists() else ()
        argv = pip or (python, "-m", "pip", "install")
        run(*map(str, argv), f"ansible=={ANSIBLE}", timeout=900)
        done.touch()
    return venv / "bin"


def _bake_layer(places: Places, report: Report) -> tuple[Path, Path]:
    """An ssh server and the Docker SDK over the root file system; returns layer and ssh key."""
    rootfs = image.bake(places, cluster.REPOSITORY, choose(DEFAULT), report=report)[-1]
    parts = "\0".join((rootfs.name, _INSTALL, *_PACKAGES))
    baked = places.cache / "bench" / f"layer-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"
    if not baked.exists():
        report(f"installing {', '.join(_PACKAGES)} for Ansible's machines (once; half a minute)")
        work = Path(tempfile.mkdtemp(dir=baked.parent))
        try:
            _install_packages(rootfs, work)
            _authorize(work)
            for name in ("scratch", "merged"):
                shutil.rmtree(work / name)
            work.rename(baked)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return baked / "layer", baked / "key"


def _install_packages(rootfs: Path, work: Path) -> None:
    for name in ("layer", "scratch", "merged"):
        (work / name).mkdir()
    (work / "layer").chmod(0o755)
    # A wish for no bytecode would make Ansible's modules slower than they are.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # In a mount namespace of its own: nothing stays mounted, however it ends.
    spaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    shell = ("sh", "-euc", _INSTALL, "sh", str(rootfs), str(work), *_PACKAGES)
    run(*spaces, *shell, timeout=600, env=env)
    for left in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        # The places the host's were bound to; the lab's own layer has them.
        if (work / "layer" / left).is_file() and not (work / "layer" / left).stat().st_size:
            (work / "layer" / left).unlink()


def _authorize(work: Path) -> None:
    key = work / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "spotswarm-bench", "-f", str(key))
    directory = work / "layer/root/.ssh"
    directory.mkdir(mode=0o700, parents=True)
    (work / "layer/root").chmod(0o700)
    shutil.copyfile(key.with_suffix(".pub"), directory / "authorized_keys")


def versions(ground: Ground) -> dict[str, str]:
    """What ran against what."""
    said = run(str(ground.ansible / "ansible"), "--version").stdout.splitlines()[0]
    engine = ground.manager.docker("version", "--format", "{{.Server.Version}}").strip()
    commit = run("git", "-C", str(cluster.REPOSITORY), "rev-parse", "--short", "HEAD", check=False)
    return {
        "ansible": f"{ANSIBLE} ({said})",
        "engine": engine,
        "commit": commit.stdout.strip() or "unknown",
    }
