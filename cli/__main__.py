"""The `spotswarm` command: one function a command, each in the module of its kind."""

import typer

from cli.cluster import rebalancing as spreading
from cli.cluster import showing, steering
from cli.deploy import deploying
from cli.founding import commands as founding

app = typer.Typer(
    name="spotswarm",
    help="Docker Swarm on EC2 Spot: see and steer the cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(showing.status)
app.command()(showing.nodes)
app.command()(showing.leaving)
app.command()(showing.joins)
app.command()(showing.explain)
app.command()(steering.drain)
app.command("return")(steering.give_back)
app.command()(spreading.rebalance)
app.command()(founding.init)
app.command("user-data")(founding.user_data)
app.command()(deploying.deploy)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
