"""Read the operator's input: the variables in .env, and a stack file from the stack directory."""

import os
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from cli.deploy.stackfile.errors import StackError
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
    values = {
        key: value or "" for key, value in dotenv_values(env_file, interpolate=False).items()
    } | dict(os.environ)
    users = Path(values.get("USERS_FILE") or _USERS)
    try:
        return complete(values, users=users.read_bytes() if users.is_file() else None)
    except (ValueError, OSError) as exc:
        fail(Exit.USAGE, str(exc), next_step=f"correct the errors in {env_file}")


def read_stack(name: str, directory: Path, values: dict[str, str]) -> Stack:
    """Return the named stack; exit if the stack does not exist or cannot be deployed."""
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
        text = file.read_text(encoding="utf-8")
        return load(name, text, values, directory=directory, read=Path.read_bytes)
    except OSError as exc:
        fail(
            Exit.USAGE, f"could not read {file}: {exc.strerror}", next_step="make the file readable"
        )
    except StackError as exc:
        fail(Exit.USAGE, str(exc), next_step="correct .env; see .env.example for explanations")


def stack_names(directory: Path) -> list[str]:
    """Return the names of all stacks in a directory.

    Every `*.yml` file is a stack unless it contains `is_stack: false`.
    """
    files = sorted(directory.glob("*.yml"))
    return [file.stem for file in files if is_stack(file.read_text(encoding="utf-8"))]
