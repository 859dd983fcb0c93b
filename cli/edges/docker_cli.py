"""Run the `docker` command with the operator's DOCKER_HOST, context and registry logins.

Rule: secrets are passed on standard input, because any user can see a process's arguments.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.edges.child import ends_with_parent
from cli.edges.docker_errors import translated as _translated
from cli.edges.engine_api import EngineApi
from cli.edges.stack_command import StackFiles, environment
from cli.progress.nodes import Member, member
from runtime.errors import ClusterError, RefusedError, UnavailableError

_TIMEOUT_SECONDS: Final = 60.0
_DEPLOY_SECONDS: Final = 300.0
_LOG_SECONDS: Final = 10.0
STACK_LABEL: Final = "com.docker.stack.namespace"
Row = dict[str, Any]


class Docker:
    """A swarm, accessed through one of its managers."""

    def __init__(self) -> None:
        self.api = EngineApi()

    def ensure_manager(self) -> None:
        """Check that the engine is reachable and is a swarm manager.

        Raises:
            UnavailableError: if no engine responds.
            RefusedError: if the engine is not a swarm manager.
        """
        info = json.loads(self._run("info", "--format", "{{json .}}"))
        # If no engine is reachable, `docker info` prints the error as JSON and exits with 0.
        if errors := info.get("ServerErrors"):
            raise UnavailableError(errors[0])
        if not (info.get("Swarm") or {}).get("ControlAvailable"):
            raise RefusedError(
                f"this engine ({info.get('Name', 'unnamed')}) is not a swarm manager; set"
                " DOCKER_HOST to a manager's address"
            )

    def nodes(self) -> list[Member]:
        """Return all nodes in the swarm."""
        return [member(row) for row in self.api.get("/nodes")]

    def services(self, stack: str) -> list[Row]:
        """Return a stack's services as the engine stores them, without default values."""
        rows: list[Row] = self.api.get("/services", label=[f"{STACK_LABEL}={stack}"])
        return rows

    def tasks(self, stack: str) -> list[Row]:
        """Return a stack's tasks, including old tasks and tasks of services that were removed."""
        rows: list[Row] = self.api.get("/tasks", label=[f"{STACK_LABEL}={stack}"])
        return rows

    def networks(self) -> set[str]:
        """Return the names of all swarm-scoped networks."""
        return set(
            self._run("network", "ls", "--filter", "scope=swarm", "--format", "{{.Name}}").split()
        )

    def secrets(self) -> set[str]:
        """Return the names of the swarm's secrets."""
        return set(self._run("secret", "ls", "--format", "{{.Name}}").split())

    def create_secret(self, name: str, value: bytes) -> None:
        """Create a secret in the swarm. Its value cannot be read back."""
        self._run("secret", "create", name, "-", stdin=value)

    def label(self, node: str, name: str, value: str) -> None:
        """Set a label on a node."""
        self._run("node", "update", "--label-add", f"{name}={value}", node)

    def remove_services(self, names: Sequence[str]) -> None:
        """Remove services by name."""
        self._run("service", "rm", *names)

    def deploy(self, stack: str, files: StackFiles, *, resolve: str) -> str:
        """Deploy a stack and return Docker's warnings.

        Raises:
            RefusedError: if Docker rejects the stack.
        """
        process = self._call(
            "stack",
            "deploy",
            *files.options,
            "--with-registry-auth",
            f"--resolve-image={resolve}",
            stack,
            stdin=files.text,
            directory=files.directory,
            seconds=_DEPLOY_SECONDS,
            ends_with_us=True,
        )
        return process.stderr.strip()

    def restore(self, spec: Mapping[str, Any], now: Row) -> None:
        """Replace a service's current spec (in `now`) with `spec`.

        This method does not use `docker service rollback`, because an automatic rollback or another
        update may have replaced the spec that this command would restore. The engine accepts the
        request only if the service's version still matches `now` (Moby API:
        `POST /services/{id}/update`).

        Raises:
            RefusedError: if the service has changed since `now`, or the engine rejects the spec.
            GoneError: if the service has been removed.
        """
        version = str(now["Version"]["Index"])
        self.api.post(f"/services/{now['ID']}/update", spec, version=version)

    def logs(self, task: str, *, lines: int) -> list[str]:
        """Return the last lines of a task's log, or an empty list if the log cannot be read."""
        try:
            process = self._call(
                "service", "logs", "--raw", f"--tail={lines}", task, seconds=_LOG_SECONDS
            )
        except ClusterError:
            return []
        return (process.stdout + process.stderr).splitlines()[-lines:]

    def remove_unused_configs(self, stack: str, *, but: Iterable[str]) -> None:
        """Remove unused configs that earlier deployments of the stack left behind.

        A config that cannot be removed is left for the next deployment.

        Raises:
            UnavailableError: if no engine responds.
        """
        label = f"label={STACK_LABEL}={stack}"
        names = self._run("config", "ls", "--filter", label, "--format", "{{.Name}}").split()
        for name in set(names) - set(but):
            try:
                self._run("config", "rm", name)
            except RefusedError:
                continue

    def _run(self, *argv: str, stdin: str | bytes | None = None) -> str:
        return self._call(*argv, stdin=stdin).stdout

    def _call(
        self,
        *argv: str,
        stdin: str | bytes | None = None,
        directory: Path | None = None,
        seconds: float = _TIMEOUT_SECONDS,
        ends_with_us: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        command = f"docker {' '.join(argv[:2])}"
        # Without input, close stdin, so that a command that prompts the user does not wait.
        content = stdin.encode() if isinstance(stdin, str) else stdin
        source: Mapping[str, Any] = (
            {"stdin": subprocess.DEVNULL} if content is None else {"input": content}
        )
        try:
            ended = subprocess.run(
                ["docker", *argv],
                capture_output=True,
                check=False,
                timeout=seconds,
                cwd=directory,
                env=environment() if directory else None,
                # If this command is killed, Docker must not go on with what nobody watches.
                preexec_fn=ends_with_parent if ends_with_us else None,
                **source,
            )
        except FileNotFoundError as exc:
            raise UnavailableError("the `docker` command is not installed on this machine") from exc
        except subprocess.TimeoutExpired as exc:
            raise UnavailableError(f"`{command}` did not finish within {seconds:.0f} s") from exc
        process = subprocess.CompletedProcess(
            ended.args, ended.returncode, _text(ended.stdout), _text(ended.stderr)
        )
        if process.returncode:
            raise _translated(argv, process.stderr or process.stdout)
        return process


def _text(output: bytes) -> str:
    """Return a command's output as text whose lines end with a single character."""
    return output.decode(errors="replace").replace("\r\n", "\n")
