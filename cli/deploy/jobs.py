"""Keep `docker stack deploy` from running a job again that the stack file has not changed.

Swarm executes a job whenever its spec is written, even if the spec is the same. Therefore, a job
carries the digest of its part of the stack file, and a job that has this digest is left out. A job
that has failed is never left out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cli.deploy.stackfile.stack import Stack
from cli.progress.services import ServiceProgress
from wire.labels import LABEL_JOB

_MODES: Final = frozenset({"replicated-job", "global-job"})
_DIGITS: Final = 16
_PARTS: Final = ("configs", "secrets", "networks", "volumes")
Table = dict[str, Any]


def with_digests(stack: Stack) -> Stack:
    """Return the stack with a label on each job that changes when the job's part changes."""
    services = {
        name: _labelled(service, _digest(service, stack.document)) if _is_job(service) else service
        for name, service in stack.document["services"].items()
    }
    return replace(stack, document={**stack.document, "services": services})


def without_done(
    stack: Stack, rows: Iterable[Mapping[str, Any]], progress: Sequence[ServiceProgress]
) -> Stack:
    """Return the stack without the jobs that have run, or still run, as the stack requests."""
    intact = {service.name for service in progress if service.state != "failed"}
    digests = {
        row["Spec"]["Name"]: (row["Spec"].get("Labels") or {}).get(LABEL_JOB)
        for row in rows
        if row["Spec"]["Name"] in intact
    }
    services = {
        name: service
        for name, service in stack.document["services"].items()
        if not _is_job(service)
        or digests.get(f"{stack.name}_{name}") != service["deploy"]["labels"][LABEL_JOB]
    }
    return replace(stack, document={**stack.document, "services": services})


def _is_job(service: Table) -> bool:
    return (service.get("deploy") or {}).get("mode") in _MODES


def _digest(service: Table, document: Table) -> str:
    """Return a digest of the service and of the names that its parts have in the swarm."""
    parts = {name: document.get(name) for name in _PARTS}
    text = json.dumps([service, parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _labelled(service: Table, digest: str) -> Table:
    deploy = service["deploy"]
    labels = deploy.get("labels") or {}
    if isinstance(labels, list):
        pairs = (str(label).partition("=") for label in labels)
        labels = {name: value for name, _, value in pairs}
    return {**service, "deploy": {**deploy, "labels": {**labels, LABEL_JOB: digest}}}
