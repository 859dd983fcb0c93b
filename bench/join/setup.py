"""Prepare the benchmark: install Ansible, build an image layer, and start a lab with idle workers.

The lab's cache stores the result of each slow step, keyed by the step's inputs. Rule: all methods
use the same machines, so the packages that Ansible needs are installed on every machine.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cluster import taken_down
from bench.host import commit
from bench.terminal import Report
from lab import cluster
from lab.client import Lab
from lab.engines import DEFAULT, choose
from lab.host import check_needs, run
from lab.machines import image
from lab.machines.layer import EXTRA_LAYER
from lab.machines.machine import Machine
from lab.places import Places

ANSIBLE: Final = "12.3.0"
"""Version of the `ansible` package on PyPI, which contains community.docker."""
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


@dataclass(frozen=True, slots=True)
class Setup:
    """A running lab and the files that Ansible needs."""

    lab: Lab
    manager: Machine
    workers: list[Machine]
    ansible: Path
    """Directory with Ansible's programs."""
    key: Path
    """The ssh key that every worker accepts."""


@contextmanager
def prepared(workers: int, *, report: Report) -> Iterator[Setup]:
    """Yield a lab with one manager and idle workers.

    The lab is always taken down afterwards.

    Raises:
        LabError: if another lab is running, or if a machine does not start.
    """
    check_needs(choose(DEFAULT).suite)
    places = Places.here()
    ansible = _install_ansible(places.cache / "bench", report)
    layer, key = _bake_layer(places, report)
    os.environ[EXTRA_LAYER] = str(layer)
    name = f"bench-{os.getpid()}"
    with taken_down(places, name, report):
        lab = Lab.up(managers=1, workers=0, cluster_name=name, report=report)
        report("waiting for the manager")
        lab.wait_nodes(1, within=120)
        report(f"booting {workers} workers")
        ids = lab.launch(count=workers, agent_enabled=False)
        machines = lab.wait_machines(*ids, within=120)
        for machine in machines:
            _write_unit(machine)
        manager = next(machine for machine in lab.machines() if machine.record.role == "manager")
        yield Setup(lab, manager, machines, ansible, key)


def _write_unit(machine: Machine) -> None:
    # Do not use `systemctl unmask`: the mask replaces the unit file in the same directory, and
    # deleting the mask from the overlay would also hide the unit file in the lower layer.
    text = (cluster.REPOSITORY / "ami/units" / _UNIT).read_text(encoding="utf-8")
    machine.write(f"/etc/systemd/system/{_UNIT}", text, 0o644)
    machine.run("systemctl", "daemon-reload")


def _install_ansible(cache: Path, report: Report) -> Path:
    venv = cache / f"ansible-{ANSIBLE}"
    done = venv / "done"
    if not done.exists():
        report(f"installing Ansible {ANSIBLE} from PyPI (only once; takes a minute)")
        shutil.rmtree(venv, ignore_errors=True)
        # Create the venv at its final path, because its programs contain the path.
        run(sys.executable, "-m", "venv", str(venv), timeout=120)
        uv = Path(sys.executable).with_name("uv")
        python = str(venv / "bin/python")
        pip = (uv, "pip", "install", "--python", python) if uv.exists() else ()
        argv = pip or (python, "-m", "pip", "install")
        run(*map(str, argv), f"ansible=={ANSIBLE}", timeout=900)
        done.touch()
    return venv / "bin"


def _bake_layer(places: Places, report: Report) -> tuple[Path, Path]:
    """Build an image layer with an ssh server and the Docker SDK.

    Return the paths of the layer and the ssh key.
    """
    rootfs = image.bake(places, cluster.REPOSITORY, choose(DEFAULT), report=report)[-1]
    parts = "\0".join((rootfs.name, _INSTALL, *_PACKAGES))
    baked = places.cache / "bench" / f"layer-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"
    if not baked.exists():
        packages = ", ".join(_PACKAGES)
        report(f"installing {packages} for Ansible (only once; takes half a minute)")
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
    # PYTHONDONTWRITEBYTECODE would slow down Ansible's modules.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # Use a separate mount namespace, so that all mounts disappear when the command ends.
    spaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    shell = ("sh", "-euc", _INSTALL, "sh", str(rootfs), str(work), *_PACKAGES)
    run(*spaces, *shell, timeout=600, env=env)
    for mount_point in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        # Delete the empty mount points of the host's files; the lab's layer has the real files.
        if (work / "layer" / mount_point).is_file() and not (
            work / "layer" / mount_point
        ).stat().st_size:
            (work / "layer" / mount_point).unlink()


def _authorize(work: Path) -> None:
    key = work / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "spotswarm-bench", "-f", str(key))
    directory = work / "layer/root/.ssh"
    directory.mkdir(mode=0o700, parents=True)
    (work / "layer/root").chmod(0o700)
    shutil.copyfile(key.with_suffix(".pub"), directory / "authorized_keys")


def versions(setup: Setup) -> dict[str, str]:
    """Return the versions of Ansible and the engine, and the current commit."""
    banner = run(str(setup.ansible / "ansible"), "--version").stdout.splitlines()[0]
    engine = setup.manager.docker("version", "--format", "{{.Server.Version}}").strip()
    return {
        "ansible": f"{ANSIBLE} ({banner})",
        "engine": engine,
        "commit": commit(),
    }
