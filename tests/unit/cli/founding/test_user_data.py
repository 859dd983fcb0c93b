import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from wire.user_data import parse


def test_a_managers_user_data_names_the_queue_and_a_workers_does_not(tmp_path):
    spotswarm = CliRunner()
    place = ("--directory", str(tmp_path / "secrets"))
    queue = ("--queue", "https://sqs.eu-central-1.amazonaws.com/1/demo")

    init = spotswarm.invoke(app, ["init", "--cluster", "demo", "--address", "198.51.100.7", *place])
    assert init.exit_code == 0, init.output
    manager = spotswarm.invoke(app, ["user-data", "--role", "manager", *queue, *place])
    worker = spotswarm.invoke(app, ["user-data", "--role", "worker", *queue, *place])

    assert parse(manager.stdout).leader["queue"] == queue[1]
    assert parse(worker.stdout).leader is None


@pytest.mark.parametrize(
    "option", [("--broker", "cluster"), ("--identity", "trust"), ("--managers", "0")]
)
def test_an_option_that_the_leader_would_refuse_is_wrong_use(tmp_path, option):
    done = CliRunner().invoke(
        app, ["user-data", "--role", "manager", *option, "--directory", str(tmp_path)]
    )

    assert done.exit_code == 2
    assert option[0] in done.stderr
