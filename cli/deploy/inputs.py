"""Read the operator's input: the variables in .env, and a stack file from the stack directory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.deploy.reading.text_files import decoded, variables
from cli.deploy.stackfile.errors import StackError, VariableError
from cli.deploy.stackfile.stack import Stack, is_stack, load
from cli.deploy.stackfile.variables import complete
from cli.terminal.exits import Exit, fail

_USERS: Final = "/mnt/efs/traefik/.htpasswd"


def read_variables(env_file: Path) -> dict[str, str]:
    """Return the variables for stack files; exit if .env is missing or invalid."""
    if not env_file.is_file():
        fail(
            Exit.USAGE,
            f"{env_file} does not exist",
            next_step="copy .env.example to .env, or specify another file with --env-file",
        )
    try:
        values = variables(_content(env_file), env_file.name) | dict(os.environ)
        users = Path(values.get("USERS_FILE") or _USERS)
        return complete(values, users=users.read_bytes() if users.is_file() else None)
    except (ValueError, OSError) as exc:
        fail(Exit.USAGE, str(exc), next_step=f"correct the errors in {env_file}")


def read_stack(
    name: str, directory: Path, values: dict[str, str], *, overlays: Sequence[Path] = ()
) -> Stack:
    """Return the named stack; exit if the stack does not exist or cannot be deployed.

    `overlays` are further stack files, which Docker merges into the first.
    """
    directory = directory.absolute()
    names = stack_names(directory)
    if name not in names:
        fail(
            Exit.USAGE,
            f"there is no stack named {name} in {directory}",
            next_step=f"deploy an existing stack ({', '.join(names)}) or add {name}.yml"
            if names
            else "use --directory to specify the directory that contains the stack files",
        )
    file = directory / f"{name}.yml"
    try:
        return load(
            name,
            decoded(_content(file), file.name),
            values,
            directory=directory,
            read=Path.read_bytes,
            overlays=[
                (overlay.name, decoded(_content(overlay), overlay.name)) for overlay in overlays
            ],
        )
    except VariableError as exc:
        fail(Exit.USAGE, str(exc), next_step="correct .env; see .env.example for explanations")
    except StackError as exc:
        fail(
            Exit.USAGE,
            str(exc),
            next_step=f"correct {' and '.join(map(str, [file, *overlays]))}, then deploy again;"
            " nothing was changed",
        )


def stack_names(directory: Path) -> list[str]:
    """Return the names of all stacks in a directory.

    Every `*.yml` file is a stack unless it contains `is_stack: false`.
    """
    return [file.stem for file in sorted(directory.glob("*.yml")) if _is_stack_file(file)]


def _is_stack_file(file: Path) -> bool:
    """Return whether a file is a stack, or may be one that has errors."""
    try:
        return is_stack(decoded(file.read_bytes(), file.name))
    except IsADirectoryError:
        return False
    except (OSError, StackError):
        return True


def _content(file: Path) -> bytes:
    """Return a file's content; exit if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as exc:
        fail(
            Exit.USAGE,
            f"could not read {file}: {exc.strerror}",
            next_step="make the file readable, or correct its name",
        )
