"""Run the `docker` command with the operator's DOCKER_HOST, context and registry logins.

Rule: secrets are passed on standard input, because any user can see a process's arguments.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.edges.docker_output import error_line, other_lines
from cli.edges.stack_command import StackFiles, environment
from cli.progress.nodes import Member, member
from runtime.errors import ClusterError, RefusedError, UnavailableError

_TIMEOUT_SECONDS: Final = 60.0
_DEPLOY_SECONDS: Final = 300.0
_LOG_SECONDS: Final = 10.0
_UNREACHABLE: Final = (
    "cannot connect to the docker daemon",
    "connection refused",
    "no such host",
    "error during connect",
    "permission denied while trying to connect",
    "i/o timeout",
    "the swarm does not have a leader",
)
_LOWEST_API: Final = "1.41"
"""The API version of engine 20.10."""
_OK: Final = "200"
Row = dict[str, Any]


class Docker:
    """A swarm, accessed through one of its managers."""

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
        ids = self._run("node", "ls", "--quiet").split()
        return [member(row) for row in self._inspect("node", ids)]

    def services(self, stack: str) -> list[Row]:
        """Return a stack's services as `docker inspect` prints them."""
        label = f"label=com.docker.stack.namespace={stack}"
        ids = self._run("service", "ls", "--quiet", "--filter", label).split()
        return self._inspect("service", ids)

    def tasks(self, services: Sequence[str]) -> list[Row]:
        """Return the services' tasks, including old tasks, as `docker inspect` prints them."""
        if not services:
            return []
        ids = self._run("service", "ps", "--quiet", "--no-trunc", *services).split()
        return self._inspect("task", ids)

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
        )
        return process.stderr.strip()

    def restore(self, before: Row, now: Row) -> None:
        """Replace a service's current spec (in `now`) with its earlier spec (in `before`).

        This method does not use `docker service rollback`, because an automatic rollback or another
        update may have replaced the spec that this command would restore. The engine accepts the
        request only if the service's version still matches `now` (Moby API:
        `POST /services/{id}/update`).

        Raises:
            RefusedError: if the service has changed since `now`, or the engine rejects the spec.
        """
        version = now["Version"]["Index"]
        path = f"/services/{now['ID']}/update?version={version}"
        status, text = self._post(path, before["Spec"])
        if status != _OK:
            raise _translated(("service", "update"), text)

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
        """Remove unused configs that earlier deployments of the stack left behind."""
        label = f"label=com.docker.stack.namespace={stack}"
        names = self._run("config", "ls", "--filter", label, "--format", "{{.Name}}").split()
        for name in set(names) - set(but):
            try:
                self._run("config", "rm", name)
            except RefusedError:
                continue

    def _inspect(self, kind: str, ids: Sequence[str]) -> list[Row]:
        if not ids:
            return []
        process = self._call("inspect", "--type", kind, *ids, strict=False)
        # Docker omits objects that have disappeared in the meantime, and reports an error.
        try:
            rows: list[Row] = json.loads(process.stdout or "[]")
        except ValueError:
            raise _translated(("inspect", kind), process.stderr) from None
        if not rows and process.returncode and "no such" not in process.stderr.lower():
            raise _translated(("inspect", kind), process.stderr)
        return rows

    def _post(self, path: str, body: Row) -> tuple[str, str]:
        """Send a POST request to the engine's API, and return the response's status and body.

        The request goes through the `docker` command, which handles contexts, SSH and TLS.
        """
        content = json.dumps(body)
        request = (
            f"POST /v{self._api()}{path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        )
        answer = self._call("system", "dial-stdio", stdin=request).stdout
        # The output is read as text, so each line ends with a single character.
        head, _, content = answer.partition("\n\n")
        if not head.startswith("HTTP/1.1 "):
            raise UnavailableError("the engine closed the connection without a response")
        return head.split()[1], content

    def _api(self) -> str:
        """Return the API version that the client and engine use. An older version loses fields."""
        text = self._run("version", "--format", "{{.Client.APIVersion}}").strip()
        return text if re.fullmatch(r"1\.\d+", text) else _LOWEST_API

    def _run(self, *argv: str, stdin: str | bytes | None = None) -> str:
        return self._call(*argv, stdin=stdin).stdout

    def _call(
        self,
        *argv: str,
        stdin: str | bytes | None = None,
        directory: Path | None = None,
        seconds: float = _TIMEOUT_SECONDS,
        strict: bool = True,
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
                **source,
            )
        except FileNotFoundError as exc:
            raise UnavailableError("the `docker` command is not installed on this machine") from exc
        except subprocess.TimeoutExpired as exc:
            raise UnavailableError(f"`{command}` did not finish within {seconds:.0f} s") from exc
        process = subprocess.CompletedProcess(
            ended.args, ended.returncode, _text(ended.stdout), _text(ended.stderr)
        )
        if strict and process.returncode:
            raise _translated(argv, process.stderr or process.stdout)
        return process


def _text(output: bytes) -> str:
    """Return a command's output as text whose lines end with a single character."""
    return output.decode(errors="replace").replace("\r\n", "\n")


def _translated(argv: Sequence[str], output: str) -> ClusterError:
    """Return the error of a failed command. Docker's other lines are the error's notes."""
    sentence = f"`docker {' '.join(argv[:2])}` failed: {error_line(output)}"
    is_unreachable = any(phrase in output.lower() for phrase in _UNREACHABLE)
    error = UnavailableError(sentence) if is_unreachable else RefusedError(sentence)
    for line in other_lines(output):
        error.add_note(line)
    return error
