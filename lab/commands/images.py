"""The `python -m lab images` command, which builds and pushes the services' images.

Rule: everything that this command does must also be possible through `lab.images.building`.
"""

from typing import Annotated, Final

import typer

from lab.client import Lab
from lab.commands.showing import out
from lab.images import building

app: Final = typer.Typer()


@app.command()
def images(
    services: Annotated[list[str] | None, typer.Argument(help="By default, all.")] = None,
    *,
    tests: Annotated[bool, typer.Option(help="Build the test images too.")] = False,
    push: Annotated[bool, typer.Option(help="Push to the cluster's registry.")] = False,
    user: Annotated[str, typer.Option(help="User name for the registry.")] = "",
    password: Annotated[
        str, typer.Option(envvar="REGISTRY_PASSWORD", help="Use the environment variable.")
    ] = "",
) -> None:
    """Build the services' images on a manager's engine, and print the images' names."""
    lab = Lab.attach()
    with out.status("building images") as status:
        built = building.build(lab, services or (), tests=tests, report=status.update)
        if push:
            building.push(lab, built, user=user, password=password, report=status.update)
    for image in built.images.values():
        print(image)
