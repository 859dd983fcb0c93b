"""The `python -m lab` commands `site` and `show-site`, which deploy and show the example site."""

import time
from typing import Annotated

import typer

from lab.client import Lab
from lab.commands.showing import command, fail, out
from lab.commands.steps import showing_steps
from lab.host import LabError
from lab.load.ingress import ask, reachable_manager
from lab.site import deployment as site

app = typer.Typer()


@app.command(name="site")
def deploy_site(
    *,
    tests: Annotated[
        bool, typer.Option("--tests", help="Deploy test builds, which serve /test.")
    ] = False,
) -> None:
    """Build the site's images on a manager, and deploy the stacks `edge` and `services`."""
    lab = Lab.attach()
    began = time.monotonic()
    try:
        with showing_steps("preparing images for the stores and Traefik") as report:
            site.deploy(lab, tests=tests, report=report)
            site.open_window(lab)
    except LabError as exc:
        fail(str(exc))
    out.print(f"the site is up after {time.monotonic() - began:.0f} s")


@app.command(name="show-site")
def show_site() -> None:
    """Show the site's services and addresses."""
    lab = Lab.attach()
    deployed = site.attach(lab)
    status, _ = ask(deployed.addresses()[0], site.DOMAIN)
    if status == 0:
        fail("the site is not responding; run `make demo-services` to deploy it")
    services = reachable_manager(lab).docker(
        "service", "ls", "--format", "table {{.Name}}\t{{.Replicas}}\t{{.Image}}"
    )
    address, port = deployed.addresses()[0], lab.places.window_port
    out.print(f"\n{services}", markup=False, highlight=False)
    out.print(
        "\nopen the site\n"
        f"  in a browser here:  http://{site.DOMAIN}:{port}/\n"
        f"  API documentation:  http://{site.API}:{port}/docs\n"
        f"  without a browser:  curl -H 'Host: {site.API}' http://{address}/openapi.json\n"
        f"  Traefik dashboard:  http://{address}:8080/dashboard/"
        f"  ({site.OPERATOR}, {deployed.password})\n"
        f"  interrupt a worker: {command()} interrupt ID (and keep browsing)\n"
        f"  take it down:       {command()} down",
        markup=False,
        highlight=False,
    )
