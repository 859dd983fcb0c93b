"""The `spotswarm` command and its subcommands."""

import typer

from cli.cluster import drain, explain, joins, leaving, nodes, rebalance, return_node, status
from cli.deploy import deploy
from cli.founding import init, user_data

app = typer.Typer(
    name="spotswarm",
    help="Docker Swarm on EC2 Spot: inspect and control the cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("status")(status.status)
app.command("nodes")(nodes.nodes)
app.command("leaving")(leaving.leaving)
app.command("joins")(joins.joins)
app.command("explain")(explain.explain)
app.command("drain")(drain.drain)
app.command("return")(return_node.return_node)
app.command("rebalance")(rebalance.rebalance)
app.command("init")(init.init)
app.command("user-data")(user_data.user_data)
app.command("deploy")(deploy.deploy)


def main() -> None:
    """Run the `spotswarm` command."""
    app()


if __name__ == "__main__":
    main()
