"""Explain a failed deployment beyond what Swarm's tasks say."""

from contextlib import suppress
from typing import Any, Final

from cli.deploy.rollout import Look
from cli.edges.docker_cli import Docker
from cli.progress.addresses import exhaustion
from cli.progress.failures import Failure
from runtime.errors import ClusterError

_NOT_PULLED: Final = ("no such image", "no basic auth", "pull access denied", "manifest unknown")
Row = dict[str, Any]


def hints(docker: Docker, stack: str, look: Look) -> list[str]:
    """Return sentences about the cause of a failure, or none if Swarm's own errors say it all."""
    sentences = [
        f"{service.name}: start-first needs a free node, which its old tasks take; set"
        " update_config.order: stop-first"
        for service in look.services
        if service.is_stuck
    ]
    if any(_is_not_pulled(failure) for failure in look.last_failures):
        sentences.append(
            "a node could not pull the image: check that it was pushed, and that your"
            " `docker login` to its registry is still valid; then deploy again"
        )
    waiting = [row.name for row in look.services if any(w.state == "new" for w in row.waits)]
    if waiting:
        # The hint is an extra; without it, the deployment has failed all the same.
        with suppress(ClusterError):
            sentences += [
                f"{sentence}: {', '.join(waiting)} waits"
                for sentence in _full_networks(docker, stack, waiting)
            ]
    return sentences


def _is_not_pulled(failure: Failure) -> bool:
    return any(phrase in failure.error.lower() for phrase in _NOT_PULLED)


def _full_networks(docker: Docker, stack: str, waiting: list[str]) -> list[str]:
    ids: list[str] = []
    for row in docker.services(stack):
        if row["Spec"]["Name"] in waiting:
            networks = row["Spec"]["TaskTemplate"].get("Networks") or ()
            ids += [network["Target"] for network in networks if network["Target"] not in ids]
    tasks, services = docker.api.get("/tasks"), docker.api.get("/services")
    nodes = len(docker.nodes())
    found_out = (
        exhaustion(docker.api.get(f"/networks/{network}"), tasks, services, nodes)
        for network in ids
    )
    return [sentence for sentence in found_out if sentence]
