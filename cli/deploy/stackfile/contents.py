"""The contents of configs and secrets: files next to the stack file, and text in the stack file.

Rule: a config's name contains a digest of its content, because Swarm cannot change a config. What
Swarm would refuse is an error here, before anything is changed.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.references import (
    Table,
    external_name,
    items_of,
    part,
    services_of,
    source,
    table_of,
)

_DIGITS: Final = 8
_LONGEST_NAME: Final = 64
LARGEST_BYTES: Final = 500 * 1024
"""Swarm accepts configs and secrets that are smaller than this, with every supported engine."""

Read = Callable[[Path], bytes]


def size_problem(content: bytes) -> str:
    """Return why Swarm would refuse a config or secret, or an empty string if it would not."""
    if not content:
        return "is empty; Swarm stores only configs and secrets with content"
    if len(content) >= LARGEST_BYTES:
        return f"has {len(content):,} bytes; Swarm stores less than {LARGEST_BYTES:,}"
    return ""


def settle(stack: str, document: Table, directory: Path, read: Read, *, drops_empty: bool) -> None:
    """Check the configs and secrets, make their paths absolute, and name configs by their content.

    With `drops_empty`, a config without content is removed from the stack and from every service.

    Raises:
        StackError: if a file cannot be read, or its size is not acceptable.
    """
    errors: list[str] = []
    absent: set[str] = set()
    for key, config in part(document, "configs").items():
        if external_name(key, config) is not None:
            continue
        has_content = any(table_of(config).get(word) is not None for word in ("file", "content"))
        if drops_empty and not has_content:
            absent.add(key)
            continue
        content = _content(f"config {key}", config, directory, read, errors)
        if content is not None and not config.get("name"):
            config["name"] = _name(stack, key, content)
    for key, secret in part(document, "secrets").items():
        if external_name(key, secret) is None and not table_of(secret).get("driver"):
            _content(f"secret {key}", secret, directory, read, errors)
    errors += _missing_env_files(document, directory, read)
    if errors:
        raise StackError("\n".join(errors))
    remove(document, "configs", absent)


def remove(document: Table, kind: str, names: set[str]) -> None:
    """Remove configs or secrets from the document and from every service."""
    if not names:
        return
    document[kind] = {key: item for key, item in part(document, kind).items() if key not in names}
    for _, service in services_of(document):
        if kind in service:
            service[kind] = [use for use in items_of(service[kind]) if source(use) not in names]


def _content(
    place: str, definition: Any, directory: Path, read: Read, errors: list[str]
) -> bytes | None:
    """Return the content of a config or secret, and make the path of its file absolute."""
    table = table_of(definition)
    file, text = table.get("file"), table.get("content")
    is_config = place.startswith("config ")
    if file is not None and text is not None:
        errors.append(f"{place} has both file and content; remove one of them")
        return None
    if text is not None and is_config:
        if not isinstance(text, str):
            errors.append(f"{place}: content must be text; put it in quotes")
            return None
        content, shown = text.encode(), f"{place}: content"
    elif isinstance(file, str) and file:
        path = directory / file
        table["file"] = str(path)
        shown = f"{place}: {path}"
        try:
            content = read(path)
        except (OSError, ValueError) as exc:
            errors.append(f"{place}: could not read {path}: {_reason(exc)}")
            return None
    else:
        choices = "file: PATH or content: TEXT" if is_config else "file: PATH"
        errors.append(f"{place} says nothing; write external: true, or {choices}")
        return None
    if problem := size_problem(content):
        errors.append(f"{shown} {problem}")
    return content


def _name(stack: str, key: str, content: bytes) -> str:
    """Return the config's name in the swarm, of at most 64 characters."""
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    name = f"{stack}_{key}_{digest}"
    if len(name) <= _LONGEST_NAME:
        return name
    # The cut name must differ from those of other keys that begin with the same characters.
    digest = hashlib.sha256(f"{stack}_{key}\n".encode() + content).hexdigest()[:_DIGITS]
    return f"{name[: _LONGEST_NAME - _DIGITS - 1]}_{digest}"


def _missing_env_files(document: Table, directory: Path, read: Read) -> Iterator[str]:
    for name, service in services_of(document):
        files = service.get("env_file")
        for file in [files] if isinstance(files, str) else items_of(files):
            if not isinstance(file, str):
                continue
            path = directory / file
            try:
                read(path)
            except (OSError, ValueError) as exc:
                yield f"services.{name}.env_file: could not read {path}: {_reason(exc)}"


def _reason(exc: OSError | ValueError) -> str:
    return (exc.strerror or str(exc)) if isinstance(exc, OSError) else str(exc)
