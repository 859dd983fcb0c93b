"""Deploys the site on the lab's swarm, as an operator would deploy it on AWS.

Rule: build with `docker build`, and deploy with `spotswarm deploy` and the stack files in the
repository. The lab also provides files on the shared file system, news feeds, and the operator's
password. A cluster on AWS would already have these.
"""

import http
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import bcrypt

from lab import servers, sweep
from lab.client import Lab
from lab.cluster import REPOSITORY
from lab.host import LabError, run
from lab.images import bases, building, registry
from lab.load import ingress
from lab.places import Places
from lab.site import newswire
from runtime import clock

DOMAIN: Final = "localhost"
API: Final = f"api.{DOMAIN}"
OPERATOR: Final = "operator"
EDGE: Final = "edge"
SERVICES: Final = "services"
_PASSWORD: Final = "operator-password"  # noqa: S105  a file's name
_EVERY_SECONDS: Final = 15
Report = Callable[[str], None]


def _quiet(_step: str) -> None:
    """Discard a progress message."""


@dataclass(frozen=True, slots=True)
class Site:
    """The site deployed on a running lab's swarm."""

    lab: Lab
    password: str = field(repr=False)
    """The operator's password for the registry, the dashboard and `/test`."""

    def addresses(self) -> list[str]:
        """Return the addresses of the managers, which run the ingress."""
        return [machine.address for machine in ingress.managers(self.lab)]

    def url(self) -> str:
        """Return a manager's URL; requests for the site must have `DOMAIN` in the Host header."""
        return f"http://{self.addresses()[0]}"


def attach(lab: Lab) -> Site:
    """Return a lab's site; generate the operator's password if there is none yet."""
    at = lab.places.lab / _PASSWORD
    if not at.exists():
        at.touch(mode=0o600)
        at.write_text(secrets.token_urlsafe(18), encoding="ascii")
    return Site(lab, at.read_text(encoding="ascii"))


def deploy(
    lab: Lab,
    *,
    tests: bool = False,
    variables: Mapping[str, str] | None = None,
    report: Report = _quiet,
) -> Site:
    """Deploy the `edge` stack, build the images, and deploy the `services` stack.

    Then wait until the site responds. If the site is already deployed, update it. If `tests` is
    true, deploy test builds of the services. `variables` are added to the `.env` files of both
    stacks.

    Raises:
        LabError: if a step fails; the message includes its output.
    """
    site = attach(lab)
    bases.provide(lab.places, report=report)
    registry.start(lab.places)
    start_newswire(lab.places)
    _furnish(site)
    wanted = dict(variables or {})
    # Deploying the edge is mostly waiting, so the images can be built at the same time.
    with ThreadPoolExecutor(1) as pool:
        building_images = pool.submit(building.build, lab, tests=tests, reuse=True, report=report)
        report("deploying the edge: Traefik and the registry")
        ingress.close_ingress(lab)
        spotswarm_deploy(site, EDGE, wanted | {"VERSION": "none"})
        built = building_images.result()
    building.push(lab, built, user=OPERATOR, password=site.password, report=report)
    if tests:
        wanted["TEST_BUILD"] = "1"
    report("deploying the services")
    spotswarm_deploy(site, SERVICES, wanted | {"VERSION": built.version})
    report("waiting for the site to respond")
    wait_answers(site)
    return site


def spotswarm_deploy(
    site: Site,
    stack: str,
    variables: Mapping[str, str],
    *,
    check: bool = True,
    timeout: float = 420,
) -> "subprocess.CompletedProcess[str]":
    """Run `spotswarm deploy` against a manager's engine, as an operator would.

    Raises:
        LabError: if the command fails and `check` is true.
    """
    env_file = site.lab.places.lab / f"{stack}.env"
    settings = _settings(site.lab.places) | dict(variables)
    env_file.write_text("".join(f"{k}={v}\n" for k, v in settings.items()), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("spotswarm")),
        *("deploy", stack, "--env-file", str(env_file), "--directory", str(REPOSITORY / "compose")),
    ]
    return run(*command, env=environment(site), timeout=timeout, check=check)


def environment(site: Site) -> dict[str, str]:
    """Return environment variables that let `docker` and `spotswarm` reach a manager."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(site.lab.places.lab),
        "DOCKER_CONFIG": str(site.lab.places.lab / "docker-client"),
        "DOCKER_HOST": ingress.reachable_manager(site.lab).docker_host,
        "COLUMNS": "100",
    }


def wait_answers(site: Site, *, within: float = 120) -> None:
    """Wait until the site and the API respond through every manager.

    Raises:
        LabError: if either does not respond in time; the message includes the last response.
    """
    deadline = clock.monotonic() + within
    for address in site.addresses():
        for host, path in ((DOMAIN, "/"), (API, "/openapi.json")):
            status, body = 0, ""
            while status != http.HTTPStatus.OK:
                status, body = ingress.ask(address, host, path=path)
                if clock.monotonic() > deadline:
                    raise LabError(
                        f"{host}{path} did not respond with status 200 through {address}; "
                        f"the last response was: {status} {body[:300]}"
                    )
                time.sleep(0.2)


def start_newswire(places: Places, *, within: float = 30) -> None:
    """Start the news-wire server if necessary, and wait until it responds.

    Raises:
        LabError: if the server has not responded after `within` seconds.
    """
    servers.start(places, sweep.NEWSWIRE)
    deadline = clock.monotonic() + within
    while True:
        status, _ = ingress.ask(str(places.gateway), "wire", path="/robots.txt", port=newswire.PORT)
        if status == http.HTTPStatus.OK:
            return
        if clock.monotonic() > deadline:
            raise LabError(f"the news wires do not respond; see {places.lab}/newswire.log")
        time.sleep(0.1)


def open_window(lab: Lab) -> None:
    """Start the process that forwards a port on this host to the site; see `lab.site.window`."""
    servers.start(lab.places, sweep.WINDOW, *(machine.address for machine in ingress.managers(lab)))


def _settings(places: Places) -> dict[str, str]:
    return {
        "DOMAIN": DOMAIN,
        "ACME": "off",
        # With 5 s, the checks of an idle site take a third of a processor.
        "HEALTH_INTERVAL": "10s",
        "GATEWAY": "simulator",
        "FEEDS_FILE": str(places.lab / "feeds.toml"),
        "ALLOW_PRIVATE": "true",
        "CONTACT": "operator@lab.example",
        "USERS_FILE": str(places.efs / "traefik/.htpasswd"),
        # In a demo, all requests come from one address; other tests cover the limit.
        "RATE_LIMIT": "6000",
    }


def _furnish(site: Site) -> None:
    """Write the files that a deployment needs, most of them to the shared file system."""
    efs = site.lab.places.efs
    users = {efs / "traefik/.htpasswd", efs / "registry-auth/htpasswd"}
    for part in ("traefik/certificates", "registry", "registry-auth", "backups"):
        (efs / part).mkdir(parents=True, exist_ok=True)
    for at in users:
        if not at.exists():
            # The registry accepts only bcrypt hashes.
            hashed = bcrypt.hashpw(site.password.encode(), bcrypt.gensalt(rounds=8)).decode()
            at.write_text(f"{OPERATOR}:{hashed}\n", encoding="ascii")
    feeds = "".join(
        f'\n[[feeds]]\nname = "{name}"\npages = true\n'
        f'url = "http://{site.lab.places.gateway}:{newswire.PORT}/{wire}/feed.xml"\n'
        for wire, name in newswire.WIRES.items()
    )
    text = f"every_seconds = {_EVERY_SECONDS}\n{feeds}"
    (site.lab.places.lab / "feeds.toml").write_text(text, encoding="utf-8")
