"""The `docker` command: what a deployment asks of a swarm and does to it.

Rule: this is the operator's own client, with his DOCKER_HOST, context and logins. Secrets go by
standard input; an argument could be read by whoever lists processes.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cli.deploy.placement import Member, member
from runtime.errors import ClusterError, RefusedError, UnavailableError

_SECONDS: Final = 60.0
_LOG_SECONDS: Final = 10.0
_AWAY: Final = (
    "cannot connect to the docker daemon",
    "connection refused",
    "no such host",
    "error during connect",
    "permission denied while trying to connect",
    "i/o timeout",
    "the swarm does not have a leader",
)
_API: Final = "/v1.41"
"""Of engine 20.10; later ones speak it too."""
_OK: Final = "200"
Row = dict[str, Any]


class Docker:
    """One swarm, by one of its managers."""

    def ensure_manager(self) -> None:
        """Make sure that a manager answers.

        Raises:
            UnavailableError: no engine does.
            RefusedError: it is no manager.
        """
        told = json.loads(self._run("info", "--format", "{{json .}}"))
        # With no engine to be reached, `info` says so in its answer, and ends well.
        if errors := told.get("ServerErrors"):
            raise UnavailableError(errors[0])
        if not (told.get("Swarm") or {}).get("ControlAvailable"):
            raise RefusedError(f"the engine {told.get('Name', '')} is no manager of a swarm")

    def nodes(self) -> list[Member]:
        """All nodes."""
        ids = self._run("node", "ls", "--quiet").split()
        return [member(one) for one in self._inspect("node", ids)]

    def services(self, stack: str) -> list[Row]:
        """The services of a stack, as they are in the swarm."""
        label = f"label=com.docker.stack.namespace={stack}"
        ids = self._run("service", "ls", "--quiet", "--filter", label).split()
        return self._inspect("service", ids)

    def tasks(self, services: Sequence[str]) -> list[Row]:
        """All tasks of these services, the old ones too."""
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
        """Names of its secrets."""
        return set(self._run("secret", "ls", "--format", "{{.Name}}").split())

    def create_secret(self, name: str, value: str) -> None:
        """Keep a secret in the swarm, which does not give it away again."""
        self._run("secret", "create", name, "-", given=value)

    def label(self, node: str, name: str, value: str) -> None:
        """Set one label of a node."""
        self._run("node", "update", "--label-add", f"{name}={value}", node)

    def deploy(self, stack: str, text: str, *, resolve: str) -> str:
        """Deploy a stack; returns what Docker warned of.

        Raises:
            RefusedError: what Docker said.
        """
        done = self._call(
            "stack",
            "deploy",
            "--compose-file=-",
            "--with-registry-auth",
            f"--resolve-image={resolve}",
            stack,
            given=text,
            seconds=300.0,
        )
        return done.stderr.strip()

    def restore(self, before: Row, now: Row) -> None:
        """Give a service the whole spec it had, in place of the one it has `now`.

        `service rollback` would swap with whatever Swarm keeps as the previous one, which a
        rollback of Swarm's own or another's update has changed by then. The engine takes this
        only while the service is still what `now` is (moby API, `POST /services/{id}/update`).

        Raises:
            RefusedError: it is another by now, or the engine says no.
        """
        version = now["Version"]["Index"]
        path = f"/services/{now['ID']}/update?version={version}"
        status, said = self._post(path, before["Spec"])
        if status != _OK:
            raise _translated(("service", "update"), said)

    def logs(self, task: str, *, lines: int) -> list[str]:
        """The last lines of a task's log, as far as its node gives them."""
        try:
            done = self._call(
                "service", "logs", "--raw", f"--tail={lines}", task, seconds=_LOG_SECONDS
            )
        except ClusterError:
            return []
        return (done.stdout + done.stderr).splitlines()[-lines:]

    def remove_unused_configs(self, stack: str, *, but: Iterable[str]) -> None:
        """Remove the stack's configs of earlier deployments; one that is in use stays."""
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
        done = self._call("inspect", "--type", kind, *ids, strict=False)
        # What went away in between is missing in the list, and is an error to Docker.
        try:
            found: list[Row] = json.loads(done.stdout or "[]")
        except ValueError:
            raise _translated(("inspect", kind), done.stderr) from None
        if not found and done.returncode and "no such" not in done.stderr.lower():
            raise _translated(("inspect", kind), done.stderr)
        return found

    def _post(self, path: str, body: Row) -> tuple[str, str]:
        """Ask the engine's API, by whatever way the client has to it: a context, ssh, TLS."""
        content = json.dumps(body)
        request = (
            f"POST {_API}{path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        )
        answer = self._call("system", "dial-stdio", given=request).stdout
        # Read as text, its line ends are single characters.
        head, _, said = answer.partition("\n\n")
        if not head.startswith("HTTP/1.1 "):
            raise UnavailableError("the engine ended the connection without an answer")
        return head.split()[1], said

    def _run(self, *argv: str, given: str | None = None) -> str:
        return self._call(*argv, given=given).stdout

    def _call(
        self,
        *argv: str,
        given: str | None = None,
        seconds: float = _SECONDS,
        strict: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        about = " ".join(argv[:2])
        # Nothing to read is not our own input: a command that asks something must not wait.
        source: Mapping[str, Any] = (
            {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        )
        try:
            done = subprocess.run(
                ["docker", *argv],
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                **source,
            )
        except FileNotFoundError as exc:
            raise UnavailableError("there is no docker command here") from exc
        except subprocess.TimeoutExpired as exc:
            raise UnavailableError(f"docker {about} did not end within {seconds:.0f} s") from exc
        if strict and done.returncode:
            raise _translated(argv, done.stderr or done.stdout)
        return done


def _translated(argv: Sequence[str], said: str) -> ClusterError:
    text = said.strip() or "it said nothing"
    sentence = f"docker {' '.join(argv[:2])}: {text}"
    is_away = any(one in text.lower() for one in _AWAY)
    return UnavailableError(sentence) if is_away else RefusedError(sentence)
