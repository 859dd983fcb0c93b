"""Hand a stack's documents to Docker's client: first for reading, then for the deployment.

Rule: Docker reads a document before anything is changed. Whatever it does not accept is an error of
the stack file.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.deploy.stackfile.stack import Stack
from cli.edges.stack_command import StackFiles, problem_of
from cli.terminal.exits import Exit, fail


@contextmanager
def files_of(stack: Stack) -> Iterator[StackFiles]:
    """Yield the stack's documents for Docker's client.

    Docker reads the texts of configs and all documents after the first from files, which exist
    until the end of the context.
    """
    contents = stack.inline_configs
    with tempfile.TemporaryDirectory(prefix="spotswarm-") as name:
        place = Path(name)
        paths = {config: place / str(number) for number, config in enumerate(contents)}
        for config, path in paths.items():
            path.write_bytes(contents[config])
        first, *rest = stack.texts(paths)
        others = [place / f"{number}.yml" for number, _ in enumerate(rest)]
        for path, text in zip(others, rest, strict=True):
            path.write_text(text, encoding="utf-8")
        yield StackFiles(stack.directory, first, tuple(others))


def check(stack: Stack) -> None:
    """Have Docker's client read the stack; exit if it does not accept the stack.

    Raises:
        UnavailableError: if there is no `docker` command.
    """
    with files_of(stack) as files:
        problem = problem_of(stack.name, files)
    if problem:
        file = stack.directory / f"{stack.name}.yml"
        fail(
            Exit.USAGE,
            f"{file.name}: {problem}",
            next_step=f"correct {file}, then deploy again; nothing was changed",
        )
