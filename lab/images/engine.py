"""Runs `docker` on this host to build, push and save images with a machine's engine.

Rule: give `docker` a settings directory that belongs to the lab, so that `docker login` never
changes the user's own Docker settings.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from lab.host import LabError, run


class Engine:
    """A machine's engine, controlled from this host through the `docker` command."""

    def __init__(self, host: str, config: Path) -> None:
        docker = shutil.which("docker")
        if docker is None:
            raise LabError("could not find `docker`: run `apt-get install docker.io`")
        self._docker = docker
        config.mkdir(mode=0o700, exist_ok=True)
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(config),
            "DOCKER_CONFIG": str(config),
            "DOCKER_HOST": host,
            # Every engine has the classic builder; the client may lack the plugin for BuildKit.
            "DOCKER_BUILDKIT": "0",
        }

    def run(self, *argv: str, timeout: float = 60, stdin: str | None = None) -> str:
        """Run a docker command; return its output.

        Raises:
            LabError: if the command fails; the message includes its output.
        """
        return run(self._docker, *argv, timeout=timeout, stdin=stdin, env=self._env).stdout

    def build(self, context: Path, dockerfile: Path, *options: str) -> str:
        """Build an image from a directory; return the image's id."""
        argv = ("build", "--quiet", "--file", str(dockerfile), *options, str(context))
        return self.run(*argv, timeout=900).strip()

    def save(self, images: Sequence[str], take: Callable[[IO[bytes]], object]) -> None:
        """Run `docker save`, and pass its output to the function `take`."""
        argv = [self._docker, "save", *images]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=self._env) as saving:
            assert saving.stdout is not None
            take(saving.stdout)
