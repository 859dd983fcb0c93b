"""A machine's engine as `docker` on this host sees it: builds, pushes, saves.

Rule: each has a directory of its own for what `docker login` leaves, so that no other engine and
nothing of the person's own is touched.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from lab.host import LabError, run


class Engine:
    """A machine's engine as `docker` on this host sees it; logs in for itself alone."""

    def __init__(self, host: str, config: Path) -> None:
        found = shutil.which("docker")
        if found is None:
            raise LabError("building images needs the docker command: apt-get install docker.io")
        self._docker = found
        config.mkdir(mode=0o700, exist_ok=True)
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(config),
            "DOCKER_CONFIG": str(config),
            "DOCKER_HOST": host,
            # The builder that every engine has; newer clients lack the other one's half.
            "DOCKER_BUILDKIT": "0",
        }

    def run(self, *argv: str, timeout: float = 60, stdin: str | None = None) -> str:
        """Output of one docker command.

        Raises:
            LabError: it failed, with what it said.
        """
        return run(self._docker, *argv, timeout=timeout, stdin=stdin, env=self._env).stdout

    def build(self, context: Path, dockerfile: Path, *options: str) -> str:
        """Build from a directory; returns the image's id."""
        argv = ("build", "--quiet", "--file", str(dockerfile), *options, str(context))
        return self.run(*argv, timeout=900).strip()

    def save(self, images: Sequence[str], take: Callable[[IO[bytes]], object]) -> None:
        """Hand images over, as `docker save` writes them."""
        argv = [self._docker, "save", *images]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=self._env) as saving:
            assert saving.stdout is not None
            take(saving.stdout)
