"""Report the result of a deployment, and roll it back if it failed."""

from dataclasses import asdict
from typing import Any, Final

from rich.console import Console

from cli.deploy import follow
from cli.deploy.rollout import Look, Rollout, roll_back
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.terminal.exits import Exit, fail, say
from cli.terminal.options import print_json

_LOG_LINES: Final = 15
_REASONS: Final = {"failed": "tasks did not come up", "timeout": "time ran out"}


def finish(
    docker: Docker, stack: Stack, rollout: Rollout, look: Look, out: Console, *, as_json: bool
) -> None:
    """Report the deployment's result. Exit with ROLLED_BACK if the stack has not converged."""
    report: dict[str, Any] = {
        "stack": stack.name,
        "outcome": look.verdict,
        "services": [
            asdict(service) | {"change": rollout.change_of(service.name)}
            for service in look.services
        ],
    } | stack.report()
    if not as_json:
        out.print(follow.table(look.services))
    if look.verdict == "converged":
        docker.remove_unused_configs(stack.name, but=stack.configs)
        print_json(report, as_json)
        return
    failures = look.last_failures
    # Read the logs before the rollback, which may remove the failed tasks.
    logs = {failure.task: docker.logs(failure.task, lines=_LOG_LINES) for failure in failures}
    restored, not_restored = roll_back(docker, stack, rollout)
    report |= {
        "logs": logs,
        "rolled_back": restored,
        "not_rolled_back": not_restored,
        "left": rollout.created,
    }
    print_json(report, as_json)
    for failure in failures:
        say(f"{failure.service} on {failure.node}: {failure.state}: {failure.error}")
        for line in logs[failure.task]:
            say(f"    {line}")
    blamed = [service.name for service in look.blamed]
    sentences = [f"{', '.join(blamed)}: {_REASONS[look.verdict]}"]
    if restored:
        sentences.append(f"rolled back: {', '.join(restored)}")
    if not_restored:
        sentences.append(f"not rolled back: {', '.join(not_restored)}")
    if rollout.created:
        sentences.append(f"new services left as they are: {', '.join(rollout.created)}")
    first = blamed[0] if blamed else stack.name
    fail(
        Exit.ROLLED_BACK,
        "; ".join(sentences),
        next_step=f"run `docker service ps --no-trunc {first}` to see why, then deploy again",
    )
