"""The operator's own `docker` command, with its DOCKER_HOST, context and logins.

Rule: secrets go by standard input. An argument could be read by anyone who lists processes.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

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
_API: Final = "/v1.41"
"""The API of engine 20.10, which later engines also support."""
_OK: Final = "200"
Row = dict[str, Any]


class Docker:
    """One swarm, through one of its managers."""

    def ensure_manager(self) -> None:
        """Check that a manager answers.

        Raises:
            UnavailableError: no engine answers.
            RefusedError: it is not a manager.
        """
        info = json.loads(self._run("info", "--format", "{{json .}}"))
        # If no engine is reachable, `info` says so in its answer and exits with 0.
        if errors := info.get("ServerErrors"):
            raise UnavailableError(errors[0])
        if not (info.get("Swarm") or {}).get("ControlAvailable"):
            raise RefusedError(
                f"the engine {info.get('Name', '')} is not a manager of a swarm: set DOCKER_HOST to"
                " a manager's"
            )

    def nodes(self) -> list[Member]:
        """All nodes."""
        ids = self._run("node", "ls", "--quiet").split()
        return [member(row) for row in self._inspect("node", ids)]

    def services(self, stack: str) -> list[Row]:
        """The services of a stack, as the swarm has them."""
        label = f"label=com.docker.stack.namespace={stack}"
        ids = self._run("service", "ls", "--quiet", "--filter", label).split()
        return self._inspect("service", ids)

    def tasks(self, services: Sequence[str]) -> list[Row]:
        """All tasks of these services, including old ones."""
        if not services:
            return []
        ids = self._run("service", "ps", "--quiet", "--no-trunc", *services).split()
        return self._inspect("task", ids)

    def networks(self) -> set[str]:
        """Names of the networks of the whole swarm."""
        return set(
            self._run("network", "ls", "--filter", "scope=swarm", "--format", "{{.Name}}").split()
        )

    def secrets(self) -> set[str]:
        """Names of the secrets in the swarm."""
        return set(self._run("secret", "ls", "--format", "{{.Name}}").split())

    def create_secret(self, name: str, value: str) -> None:
        """Create a secret. The swarm does not show its value again."""
        self._run("secret", "create", name, "-", stdin=value)

    def label(self, node: str, name: str, value: str) -> None:
        """Set one label of a node."""
        self._run("node", "update", "--label-add", f"{name}={value}", node)

    def deploy(self, stack: str, text: str, *, resolve: str) -> str:
        """Deploy a stack; returns Docker's warnings.

        Raises:
            RefusedError: Docker refused.
        """
        process = self._call(
            "stack",
            "deploy",
            "--compose-file=-",
            "--with-registry-auth",
            f"--resolve-image={resolve}",
            stack,
            stdin=text,
            seconds=_DEPLOY_SECONDS,
        )
        return process.stderr.strip()

    def restore(self, before: Row, now: Row) -> None:
        """Give a service back the spec it had before, in place of the one it has `now`.

        `service rollback` would restore whatever Swarm keeps as the previous spec, which Swarm's
        own rollback or another update may have changed. The engine accepts this request only
        while the service is still at version `now` (moby API, `POST /services/{id}/update`).

        Raises:
            RefusedError: the service has changed since, or the engine refuses.
        """
        version = now["Version"]["Index"]
        path = f"/services/{now['ID']}/update?version={version}"
        status, text = self._post(path, before["Spec"])
        if status != _OK:
            raise _translated(("service", "update"), text)

    def logs(self, task: str, *, lines: int) -> list[str]:
        """The last lines of a task's log; none if its node does not answer."""
        try:
            process = self._call(
                "service", "logs", "--raw", f"--tail={lines}", task, seconds=_LOG_SECONDS
            )
        except ClusterError:
            return []
        return (process.stdout + process.stderr).splitlines()[-lines:]

    def remove_unused_configs(self, stack: str, *, but: Iterable[str]) -> None:
        """Remove the stack's configs of earlier deployments, except those still in use."""
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
        # Docker leaves out what has disappeared meanwhile, and reports an error.
        try:
            rows: list[Row] = json.loads(process.stdout or "[]")
        except ValueError:
            raise _translated(("inspect", kind), process.stderr) from None
        if not rows and process.returncode and "no such" not in process.stderr.lower():
            raise _translated(("inspect", kind), process.stderr)
        return rows

    def _post(self, path: str, body: Row) -> tuple[str, str]:
        """Call the engine's API the way the client reaches it: by a context, ssh or TLS."""
        content = json.dumps(body)
        request = (
            f"POST {_API}{path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        )
        answer = self._call("system", "dial-stdio", stdin=request).stdout
        # Read as text, so line ends are single characters.
        head, _, content = answer.partition("\n\n")
        if not head.startswith("HTTP/1.1 "):
            raise UnavailableError("the engine ended the connection without an answer")
        return head.split()[1], content

    def _run(self, *argv: str, stdin: str | None = None) -> str:
        return self._call(*argv, stdin=stdin).stdout

    def _call(
        self,
        *argv: str,
        stdin: str | None = None,
        seconds: float = _TIMEOUT_SECONDS,
        strict: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        command = f"docker {' '.join(argv[:2])}"
        # Without input it gets none of ours: a command that asks a question must not wait.
        source: Mapping[str, Any] = (
            {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        )
        try:
            process = subprocess.run(
                ["docker", *argv],
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                **source,
            )
        except FileNotFoundError as exc:
            raise UnavailableError("the docker command is not installed here") from exc
        except subprocess.TimeoutExpired as exc:
            raise UnavailableError(f"{command} did not finish within {seconds:.0f} s") from exc
        if strict and process.returncode:
            raise _translated(argv, process.stderr or process.stdout)
        return process


def _translated(argv: Sequence[str], output: str) -> ClusterError:
    text = output.strip() or "no error message"
    sentence = f"docker {' '.join(argv[:2])}: {text}"
    is_unreachable = any(phrase in text.lower() for phrase in _UNREACHABLE)
    return UnavailableError(sentence) if is_unreachable else RefusedError(sentence)
