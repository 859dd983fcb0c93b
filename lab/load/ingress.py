"""Runs Traefik on the swarm's managers, and runs test services behind Traefik.

Rule: run only commands that an operator could type, such as `docker service create` with labels.
The host's kernel may lack IPVS, so all services use the endpoint mode `dnsrr`, and ports are
published in host mode. `lab.load.web_service` and `_TRAEFIK` contain the options that prevent lost
requests when tasks move.
"""

import http.client
import time
from typing import Final

from lab.client import Lab
from lab.host import LabError
from lab.images import application as images
from lab.images import registry
from lab.load.web_service import DOMAIN, NETWORK, WebService
from lab.machines.machine import Machine, running_managers

REFRESH_SECONDS: Final = 1
_TRAEFIK_SERVICE: Final = "traefik"
_EDGE_TRAEFIK: Final = "edge_traefik"
"""The Traefik service of the `edge` stack, which uses the same ports and the same network."""
_CONFIG: Final = "traefik-again"
_AGAIN: Final = """\
http:
  middlewares:
    again:
      retry:
        attempts: 4
        initialInterval: 50ms
"""
_TRAEFIK: Final = (
    "--entrypoints.web.address=:80",
    # If a task has ended since the last refresh, the connection fails and Traefik tries the next
    # task. Traefik repeats only requests that never reached a task.
    "--entrypoints.web.http.middlewares=again@file",
    "--providers.file.filename=/again.yml",
    "--providers.swarm=true",
    "--providers.swarm.exposedbydefault=false",
    f"--providers.swarm.network={NETWORK}",
    f"--providers.swarm.refreshseconds={REFRESH_SECONDS}",
    # The default of two seconds would delay a change that soon follows another.
    "--providers.providersthrottleduration=100ms",
    # The default of thirty seconds is too long for a node without power, which never responds.
    "--serverstransport.forwardingtimeouts.dialtimeout=1s",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)


def open_ingress(lab: Lab, *, within: float = 60) -> None:
    """Set up the registry, the network and Traefik; wait until every manager responds on port 80.

    Anything that already exists is reused, including the Traefik service of the `edge` stack.
    Managers that join later run Traefik too.

    Raises:
        LabError: if a manager does not respond on port 80; the message includes its address.
    """
    registry.start(lab.places)
    manager = reachable_manager(lab)
    names = manager.docker("network", "ls", "--format", "{{.Name}}").split()
    if NETWORK not in names:
        manager.docker("network", "create", "--driver=overlay", "--attachable", NETWORK)
    if not {_TRAEFIK_SERVICE, _EDGE_TRAEFIK} & set(_services(manager)):
        if _CONFIG not in manager.docker("config", "ls", "--format", "{{.Name}}").split():
            manager.run("docker", "config", "create", _CONFIG, "-", input=_AGAIN)
        manager.docker(
            "service",
            "create",
            "--detach",
            f"--name={_TRAEFIK_SERVICE}",
            "--mode=global",
            "--constraint=node.role==manager",
            f"--network={NETWORK}",
            "--endpoint-mode=dnsrr",
            "--publish=mode=host,published=80,target=80",
            "--mount=type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock,readonly",
            f"--config=source={_CONFIG},target=/again.yml",
            images.traefik(lab.places),
            *_TRAEFIK,
        )
    deadline = time.monotonic() + within
    for machine in managers(lab):
        while ask(machine.address, f"nobody.{DOMAIN}")[0] != http.HTTPStatus.NOT_FOUND:
            if time.monotonic() > deadline:
                output = manager.docker("service", "ps", "--no-trunc", _TRAEFIK_SERVICE)
                raise LabError(f"Traefik does not respond on {machine.address}:\n{output}")
            time.sleep(0.1)


def close_ingress(lab: Lab) -> None:
    """Remove the Traefik service that `open_ingress` created, to free its ports for `edge`."""
    remove(lab, _TRAEFIK_SERVICE)


def deploy(lab: Lab, *services: WebService) -> None:
    """Create services; call `wait_served` to wait until they respond.

    Raises:
        LabError: if Docker rejects a service; the message includes Docker's output.
    """
    registry.start(lab.places)
    for service in services:
        tag = f"{service.version}-bad" if service.is_bad else service.version
        image = images.application(lab.places, tag, is_bad=service.is_bad)
        create = ("service", "create", "--detach", *service.options(), image)
        reachable_manager(lab).docker(*create)


def wait_served(lab: Lab, *services: WebService, within: float = 60) -> None:
    """Wait until every task of these services has responded to a request through every manager.

    Raises:
        LabError: if a task does not respond in time; the message contains the service's name.
    """
    deadline = time.monotonic() + within
    for service in services:
        for manager in managers(lab):
            seen: set[str] = set()
            while len(seen) < service.replicas:
                status, body = ask(manager.address, service.host)
                if status == http.HTTPStatus.OK:
                    seen.add(body.split()[0])
                if time.monotonic() > deadline:
                    output = reachable_manager(lab).docker(
                        "service", "ps", "--no-trunc", service.name
                    )
                    raise LabError(
                        f"{len(seen)} of {service.replicas} tasks of {service.name} respond "
                        f"through {manager.address}; the last response was {status} "
                        f"{body.strip()[:200]!r}:\n{output}"
                    )
                if status != http.HTTPStatus.OK:
                    time.sleep(0.1)


def remove(lab: Lab, *names: str) -> None:
    """Remove services; ignore services that do not exist."""
    manager = reachable_manager(lab)
    if present := [name for name in names if name in _services(manager)]:
        manager.docker("service", "rm", *present)


def ask(
    address: str, host: str, *, path: str = "/", port: int = 80, timeout: float = 5
) -> tuple[int, str]:
    """Send a request to an ingress; return the status and the body.

    If there is no response, return 0 and the text of the error.
    """
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        return 0, str(exc)
    finally:
        connection.close()


def managers(lab: Lab) -> list[Machine]:
    """Return the running managers, which all accept ingress traffic on port 80."""
    return running_managers(lab.places)


def reachable_manager(lab: Lab) -> Machine:
    """Return a manager whose swarm has a Raft leader.

    Raises:
        LabError: if there is no such manager.
    """
    for machine in managers(lab):
        if machine.is_manager_reachable():
            return machine
    raise LabError("no manager of the swarm can be reached")


def _services(manager: Machine) -> list[str]:
    return manager.docker("service", "ls", "--format", "{{.Name}}").split()
