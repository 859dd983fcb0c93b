"""Report the result of a deployment, and roll it back if it failed."""

from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, NoReturn

from rich.console import Console

from cli.deploy import follow, leftovers
from cli.deploy.causes import hints
from cli.deploy.leftovers import Leftovers
from cli.deploy.recovery import records
from cli.deploy.recovery.rollback import Rollback, roll_back
from cli.deploy.recovery.rollback_report import rollback_report
from cli.deploy.rollout import Look, Rollout
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.progress.failures import Failure
from cli.terminal.exits import Exit, fail, say
from cli.terminal.options import print_json
from runtime.errors import ClusterError

_LOG_LINES: Final = 15
_REASONS: Final = {"failed": "tasks did not come up", "timeout": "time ran out"}


def succeed(
    docker: Docker, stack: Stack, rollout: Rollout, look: Look, out: Console, *, as_json: bool
) -> None:
    """Report that the stack runs as requested, and remove what only the deployment needed."""
    if not as_json:
        out.print(follow.table(look.services))
    records.forget(docker, rollout.stored)
    # They are removed by the next deployment, too, and this one has succeeded.
    with suppress(ClusterError):
        docker.remove_unused_configs(stack.name, but=stack.configs)
    print_json(_report(stack, rollout, look), as_json)


def give_up(
    docker: Docker,
    stack: Stack,
    rollout: Rollout,
    rollback: Rollback,
    look: Look,
    *,
    left: Leftovers,
    out: Console,
    rejection: str = "",
    as_json: bool,
) -> NoReturn:
    """Roll back a deployment that has failed, and say why it failed.

    `rejection` is Docker's error if it has rejected a part of the stack. A new service that would
    replace one of `left` is removed, and so not left beside it. Exit with ROLLED_BACK if
    every updated service was seen as before, otherwise with INCOMPLETE.
    """
    report = _report(stack, rollout, look) | ({"outcome": "rejected"} if rejection else {})
    if not as_json:
        out.print(follow.table(look.services))
    failures = [] if rejection else look.last_failures
    # Read the logs before the rollback, which may remove the failed tasks.
    logs = {
        failure.task: [] if failure.is_waiting else docker.logs(failure.task, lines=_LOG_LINES)
        for failure in failures
    }
    causes = [rejection] if rejection else hints(docker, stack.name, look)
    _explain(failures, logs, causes)
    if withdrawn := leftovers.withdraw_rivals(docker, stack, left, rollout.created):
        rollout.created = [name for name in rollout.created if name not in withdrawn]
        report["withdrawn"] = withdrawn
    befores = rollout.stored.record.services
    updated = {name: befores[name] for name in rollout.updated}
    roll_back(docker, stack.name, updated, rollback)
    rest = rollback_report(
        rollout,
        rollback,
        [service.name for service in look.services if service.is_rolled_back_by_swarm],
    )
    if rollback.is_over:
        records.forget(docker, rollout.stored)
    print_json(report | {"logs": logs, "causes": causes} | rest.fields, as_json)
    fail(
        Exit.INCOMPLETE if rollback.not_restored else Exit.ROLLED_BACK,
        "; ".join([reason_of(stack.name, look, rejection), *rest.sentences]),
        next_step="; ".join([*rest.next_steps, "correct the cause, then deploy again"]),
    )


def reason_of(stack: str, look: Look, rejection: str) -> str:
    """Return why a deployment failed; no service is to blame if Docker has rejected the stack."""
    if rejection:
        return f"{stack}: Docker rejected the stack"
    blamed = ", ".join(service.name for service in look.blamed)
    return f"{blamed or stack}: {_REASONS[look.verdict]}"


def _report(stack: Stack, rollout: Rollout, look: Look) -> dict[str, Any]:
    return {
        "stack": stack.name,
        "outcome": look.verdict,
        "services": [
            asdict(service) | {"change": rollout.change_of(service.name)}
            for service in look.services
        ],
    } | stack.report()


def _explain(failures: list[Failure], logs: dict[str, list[str]], causes: list[str]) -> None:
    for failure in failures:
        say(
            f"{failure.service} on {failure.node}: task {failure.task[:12]} {failure.state}:"
            f" {failure.error or 'no error message'}"
        )
        for line in logs[failure.task]:
            say(f"    {line}")
    for cause in causes:
        say(cause)
