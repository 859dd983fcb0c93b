"""Writes a layer with everything that a machine in the lab needs but an EC2 instance does not.

Rule: on EC2, Spotswarm must work without this layer. Everything a machine needs to join a swarm
belongs in `ami/`. This layer only makes up for the differences between containers and virtual
machines.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from lab.dns import DOMAIN
from lab.host import LabError
from lab.machines import cgroups
from lab.places import Places

_MASKED: Final = (
    # These units need a real disk or terminal.
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "systemd-pstore.service",
    # Machines share the host's kernel, so most sysctl settings would change the host.
    "systemd-sysctl.service",
)
_WRITABLE_CGROUPS: Final = """\
[Unit]
Description=Make the cgroup v1 controllers writable: nspawn mounts them read-only
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsMountPoint=/sys/fs/cgroup

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*; do \
mountpoint -q $c && mount -o remount,bind,rw $c; done; true'
"""
_CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"
EXTRA_LAYER: Final = "SPOTSWARM_LAB_EXTRA_LAYER"
"""Environment variable with a directory to add as the image's topmost layer."""
AGENT_UNITS: Final = ("spotswarm-agent.service", "spotswarm-leader.path")


def write(layer: Path, places: Places) -> None:
    """Write the layer, including a copy of the host's current CA certificates."""
    units = layer / "etc/systemd/system"
    (units / "sysinit.target.wants").mkdir(parents=True)
    mask(layer, _MASKED)
    if not cgroups.is_unified():
        unit = units / "spotswarm-lab-cgroups.service"
        unit.write_text(_WRITABLE_CGROUPS, encoding="ascii")
        (units / "sysinit.target.wants" / unit.name).symlink_to(f"../{unit.name}")
    # Machines use the host's network, whose proxies may have their own certificates.
    if (Path("/") / _CERTIFICATES).exists():
        (layer / _CERTIFICATES).parent.mkdir(parents=True)
        shutil.copyfile(Path("/") / _CERTIFICATES, layer / _CERTIFICATES)
    (layer / "etc/resolv.conf").write_text(
        f"nameserver {places.gateway}\nsearch {DOMAIN}\n", encoding="ascii"
    )
    # The lab's registry has no certificate, and serves images in place of Docker Hub. Use command
    # line options, because daemon.json belongs to the image.
    engine = (
        f"--insecure-registry={places.network}",
        f"--registry-mirror=http://{places.registry}",
    )
    options = layer / "etc/default/docker"
    options.parent.mkdir(parents=True)
    options.write_text(f'DOCKER_OPTS="{" ".join(engine)}"\n', encoding="ascii")
    manager = layer / "etc/systemd/system.conf.d/70-lab.conf"
    manager.parent.mkdir(parents=True)
    # By default, the engines of a lab spend a tenth of their CPU time on collecting garbage.
    manager.write_text("[Manager]\nDefaultEnvironment=GOGC=400\n", encoding="ascii")
    journal = layer / "etc/systemd/journald.conf.d/70-lab.conf"
    journal.parent.mkdir(parents=True)
    # Twenty machines that sync their journals would make the disk very slow.
    journal.write_text("[Journal]\nStorage=volatile\nForwardToConsole=no\n", encoding="ascii")


def mask(layer: Path, units: tuple[str, ...]) -> None:
    """Mask these systemd units, so that machines with this layer never start them."""
    directory = layer / "etc/systemd/system"
    directory.mkdir(parents=True, exist_ok=True)
    for unit in units:
        (directory / unit).symlink_to("/dev/null")


def offer(places: Places, engine: str, layers: list[Path]) -> None:
    """Write the list of layers that machines with this engine boot from.

    Raises:
        LabError: if SPOTSWARM_LAB_EXTRA_LAYER is set but is not the path of a directory.
    """
    stack = [places.lab / "layer", *layers]
    if extra := os.environ.get(EXTRA_LAYER):
        if not Path(extra).is_dir():
            raise LabError(f"{extra}, the value of {EXTRA_LAYER}, is not a directory")
        stack.insert(0, Path(extra).resolve())
    listed = places.layers(engine)
    listed.parent.mkdir(exist_ok=True)
    draft = listed.with_name(f"{engine}.new")
    draft.write_text("\n".join(map(str, stack)), encoding="utf-8")
    draft.rename(listed)
