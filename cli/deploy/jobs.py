"""Keep `docker stack deploy` from running a job again that the stack file has not changed.

Swarm executes a job whenever its spec is written, even if the spec is the same. Therefore, a job
carries the digest of its part of the stack file, and a job that has this digest is left out. A job
that has failed is never left out.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cli.deploy.stackfile.references import part, table_of
from cli.deploy.stackfile.stack import Stack
from cli.progress.services import ServiceProgress
from wire.labels import LABEL_JOB

_MODES: Final = frozenset({"replicated-job", "global-job"})
_DIGITS: Final = 16
_PARTS: Final = ("configs", "secrets", "networks", "volumes")
Table = dict[str, Any]


def with_digests(stack: Stack) -> Stack:
    """Return the stack with a label on each job that changes when the job's part changes."""
    digests = _digests(stack)

    def labelled(services: Table) -> Table:
        return {
            name: _labelled(service or {}, digests[name]) if name in digests else service
            for name, service in services.items()
        }

    return _changed(stack, labelled)


def without_done(
    stack: Stack, rows: Iterable[Mapping[str, Any]], progress: Sequence[ServiceProgress]
) -> Stack:
    """Return the stack without the jobs that have run, or still run, as the stack requests.

    `stack` has the labels of `with_digests`; `rows` and `progress` are of the stack's services.
    """
    intact = {service.name for service in progress if service.state != "failed"}
    labels = {
        row["Spec"]["Name"]: (row["Spec"].get("Labels") or {}).get(LABEL_JOB)
        for row in rows
        if row["Spec"]["Name"] in intact
    }
    done = {
        name
        for name, service in stack.document["services"].items()
        if _is_job(service)
        and labels.get(f"{stack.name}_{name}") == service["deploy"]["labels"][LABEL_JOB]
    }

    def undone(services: Table) -> Table:
        return {name: service for name, service in services.items() if name not in done}

    return _changed(stack, undone) if done else stack


def _changed(stack: Stack, change: Callable[[Table], Table]) -> Stack:
    """Return the stack with other services in every document that Docker gets."""

    def with_change(document: Table) -> Table:
        return {**document, "services": change(document.get("services") or {})}

    return replace(
        stack,
        document=with_change(stack.document),
        layers=[with_change(layer) for layer in stack.layers],
    )


def _is_job(service: Table | None) -> bool:
    return ((service or {}).get("deploy") or {}).get("mode") in _MODES


def _digests(stack: Stack) -> dict[str, str]:
    """Return a digest of each job, its environment files and the definitions of the stack's parts.

    A config's name stands for its content. The place of a file is left out, because each operator
    may have the stack file in another directory.
    """
    parts = {kind: _without_places(part(stack.document, kind)) for kind in _PARTS}
    digests = {}
    for name, service in stack.document["services"].items():
        if _is_job(service):
            files = _environment_files(stack, service)
            text = json.dumps([service, files, parts], sort_keys=True, default=str)
            digests[name] = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    return digests


def _without_places(definitions: Table) -> Table:
    return {
        name: {key: value for key, value in table_of(definition).items() if key != "file"}
        for name, definition in definitions.items()
    }


def _environment_files(stack: Stack, service: Table) -> list[str]:
    """Return a digest of each of the service's environment files."""
    files = service.get("env_file") or ()
    paths = [stack.directory / file for file in ([files] if isinstance(files, str) else files)]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def _labelled(service: Table, digest: str) -> Table:
    deploy = service.get("deploy") or {}
    labels = deploy.get("labels") or {}
    if isinstance(labels, list):
        pairs = (str(label).partition("=") for label in labels)
        labels = {name: value for name, _, value in pairs}
    return {**service, "deploy": {**deploy, "labels": {**labels, LABEL_JOB: digest}}}
