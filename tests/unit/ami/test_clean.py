"""What the image's last stage removes from a machine that was used."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

AMI: Final = Path(__file__).parents[3] / "ami"
USED: Final = (
    *("etc/spotswarm/agent.toml", "etc/spotswarm/founder", "etc/spotswarm/.agent.toml.swp"),
    *("var/lib/spotswarm/instance", "var/lib/spotswarm-leader/consoles/i-1"),
    *("run/spotswarm/leader.toml", "run/spotswarm-leader/admin.sock"),
    *("root/.docker/config.json", "home/admin/.docker/config.json", "root/.aws/credentials"),
    *("root/.ssh/authorized_keys", "home/admin/.ssh/id_ed25519", "root/.bash_history"),
    *("home/admin/.python_history", "root/.netrc"),
    *("var/lib/docker/swarm/state.json", "var/lib/docker/volumes/services_redis/_data/a.aof"),
    *("var/lib/docker/containers/c/config.v2.json", "var/lib/docker/engine-id"),
    *("etc/ssh/ssh_host_ed25519_key", "etc/hostname", "var/lib/cloud/instances/i-1/user-data.txt"),
)
KEPT: Final = (
    *("etc/docker/daemon.json", "var/lib/docker/overlay2/layer/diff/bin/sh"),
    *("var/lib/docker/image/overlay2/repositories.json", "opt/spotswarm/bin/python"),
    *("root/.bashrc", "home/admin/.profile", "mnt/efs/backups/redis.rdb", "etc/ssh/sshd_config"),
)


def patterns() -> list[str]:
    listed = subprocess.run(
        ["/bin/bash", str(AMI / "provision.sh"), "list-identities"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return listed.stdout.splitlines()


@pytest.fixture
def left(tmp_path: Path) -> set[str]:
    """The files of a used machine that no pattern matches."""
    for file in (*USED, *KEPT):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    removed = [path for pattern in patterns() for path in tmp_path.glob(pattern.lstrip("/"))]
    return {
        file
        for file in (*USED, *KEPT)
        if not any((tmp_path / file).is_relative_to(path) for path in removed)
    }


def test_nothing_of_a_used_machine_is_left_and_the_image_is(left: set[str]) -> None:
    assert left == set(KEPT)


def test_each_folder_of_our_units_is_removed() -> None:
    folders = {"StateDirectory": "/var/lib", "RuntimeDirectory": "/run"}
    for unit in (AMI / "units").glob("*.service"):
        for name, value in re.findall(r"^(\w+Directory)=(.+)$", unit.read_text(), re.MULTILINE):
            if name in folders:
                assert f"{folders[name]}/{value}" in patterns(), unit.name


@pytest.mark.parametrize("pattern", patterns())
def test_no_pattern_removes_a_whole_system(pattern: str) -> None:
    assert pattern.startswith(("/etc/", "/home/*/.", "/root/.", "/run/", "/var/lib/"))
    assert pattern.count("/") >= 2
    assert not re.fullmatch(r"/(etc|run|var/lib|var/lib/docker)/\*?", pattern)
