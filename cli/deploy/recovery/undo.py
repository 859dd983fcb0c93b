"""`spotswarm deploy STACK --undo`: restore what the services were before a deployment began."""

from cli.deploy.recovery import records
from cli.deploy.recovery.rollback import Rollback, roll_back
from cli.deploy.recovery.rollback_report import rollback_report
from cli.deploy.rollout import Rollout
from cli.deploy.unfinished import named
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail, say
from cli.terminal.options import print_json


def undo(docker: Docker, stack: str, *, as_json: bool) -> None:
    """Restore the recorded specs. Exit with INCOMPLETE if a service is not as before.

    New services are left as they are. Without a record, nothing is changed.
    """
    stored = records.find(docker, stack)
    if stored is None:
        say(f"no deployment of {stack} is unfinished; nothing was changed")
        print_json({"stack": stack, "outcome": "nothing to undo"}, as_json)
        return
    befores = stored.record.services
    rollout = Rollout(stored, frozenset(), sorted(befores), updated=sorted(befores))
    rollout.created = [
        row["Spec"]["Name"] for row in docker.services(stack) if rollout.before(row) is None
    ]
    rollback = Rollback()
    with named(rollout, rollback):
        roll_back(docker, stack, befores, rollback)
        if rollback.is_over:
            records.forget(docker, stored)
    rest = rollback_report(rollout, rollback)
    outcome = "incomplete" if rollback.not_restored else "undone"
    print_json({"stack": stack, "outcome": outcome} | rest.fields, as_json)
    if rollback.not_restored:
        fail(Exit.INCOMPLETE, "; ".join(rest.sentences), next_step="; ".join(rest.next_steps))
    say("; ".join(rest.sentences) or "every service was as before; nothing was changed")
    if rollout.created:
        say(f"next: {'; '.join(rest.next_steps)}")
