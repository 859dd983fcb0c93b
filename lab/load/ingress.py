"""Web traffic on the lab's swarm: Traefik on the managers, services behind it.

Rule: it does only what an operator could type: `docker service create`, with labels. This kernel
has no IPVS, so everything uses `dnsrr` and host ports. `lab.load.web_service` has the options by
which a service loses no request when its tasks move; `_TRAEFIK` has the others.
"""

import http.client
import time
from typing import Final

from lab.client import Lab
from lab.host import LabError
from lab.images import application as images
from lab.images import registry
from lab.load.web_service import DOMAIN, NETWORK, WebService
from lab.machines.machine import Machine
from lab.machines.record import Stage

REFRESH_SECONDS: Final = 1
_TRAEFIK_SERVICE: Final = "traefik"
_EDGE_TRAEFIK: Final = "edge_traefik"
"""The Traefik of the stack `edge`, which uses the same ports and serves the same network."""
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
    # A task that ended between two refreshes refuses the connection: Traefik then tries the next
    # task. It repeats only requests that never reached a task.
    "--entrypoints.web.http.middlewares=again@file",
    "--providers.file.filename=/again.yml",
    "--providers.swarm=true",
    "--providers.swarm.exposedbydefault=false",
    f"--providers.swarm.network={NETWORK}",
    f"--providers.swarm.refreshseconds={REFRESH_SECONDS}",
    # Two seconds by default: changes that come one after another would wait for each other.
    "--providers.providersthrottleduration=100ms",
    # Thirty seconds by default: a node that lost its power neither accepts nor refuses.
    "--serverstransport.forwardingtimeouts.dialtimeout=1s",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)


def open_ingress(lab: Lab, *, within: float = 60) -> None:
    """Start the registry, the network and Traefik; return when every manager's port 80 answers.

    Idempotent; uses the Traefik of the stack `edge` if it is deployed. The swarm also starts
    Traefik on later managers.

    Raises:
        LabError: names the manager that does not answer.
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
                raise LabError(f"Traefik does not answer on {machine.address}:\n{output}")
            time.sleep(0.1)


def close_ingress(lab: Lab) -> None:
    """Remove our Traefik, whose ports the stack `edge` needs; does nothing if there is none."""
    remove(lab, _TRAEFIK_SERVICE)


def deploy(lab: Lab, *services: WebService) -> None:
    """Create services; `wait_served` waits until they answer.

    Raises:
        LabError: Docker refused; quotes its output.
    """
    registry.start(lab.places)
    for service in services:
        tag = f"{service.version}-bad" if service.is_bad else service.version
        image = images.application(lab.places, tag, is_bad=service.is_bad)
        create = ("service", "create", "--detach", *service.options(), image)
        reachable_manager(lab).docker(*create)


def wait_served(lab: Lab, *services: WebService, within: float = 60) -> None:
    """Wait until every task of these services has answered through every manager.

    Raises:
        LabError: names the service, and how many of its tasks answer.
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
                        f"{len(seen)} of {service.replicas} tasks of {service.name} answer "
                        f"through {manager.address}:\n{output}"
                    )
                if status != http.HTTPStatus.OK:
                    time.sleep(0.1)


def remove(lab: Lab, *names: str) -> None:
    """Remove services; ignores those that do not exist."""
    manager = reachable_manager(lab)
    if present := [name for name in names if name in _services(manager)]:
        manager.docker("service", "rm", *present)


def ask(
    address: str, host: str, *, path: str = "/", port: int = 80, timeout: float = 5
) -> tuple[int, str]:
    """Send one request to an ingress; returns status and body. Status 0 means no answer."""
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
    """The running managers, whose port 80 is the ingress."""
    records = ((machine, machine.record) for machine in lab.machines())
    return [
        machine
        for machine, record in records
        if record.role == "manager" and record.stage is Stage.ENGINE
    ]


def reachable_manager(lab: Lab) -> Machine:
    """A manager of a swarm that has a leader.

    Raises:
        LabError: no manager can be reached.
    """
    for machine in managers(lab):
        if machine.is_manager_reachable():
            return machine
    raise LabError("no manager of the swarm can be reached")


def _services(manager: Machine) -> list[str]:
    return manager.docker("service", "ls", "--format", "{{.Name}}").split()
