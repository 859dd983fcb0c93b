"""Stores for a cluster's secrets: files with mode 0600, or SSM SecureStrings.

Rule: a secret is written only once. Overwriting a running cluster's secrets would lock out
every instance. Only `spotswarm init` replaces secrets, and only those of an `init` that was
interrupted before a leader could use them. A file is there either as a whole or not at all.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from runtime.errors import RefusedError, UnavailableError


class Store(Protocol):
    """A store for small text files, grouped into folders."""

    place: str
    """The store's name in the leader's settings, without the folder."""

    def read(self, folder: str) -> dict[str, str]:
        """Return a folder's files by name, or an empty dict if the folder does not exist."""

    def write(self, folder: str, files: dict[str, str], *, replace: bool = False) -> None:
        """Write files to a folder, in their order.

        Raises:
            RefusedError: if one of the files already exists and `replace` is false, or if a file
                cannot be written.
        """


class Directory:
    """A store in a directory that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self.place = f"file:{self._path}"

    def read(self, folder: str) -> dict[str, str]:  # noqa: D102
        below = self._path / folder
        if not below.is_dir():
            return {}
        return {
            file.name: file.read_text()
            for file in below.iterdir()
            if file.is_file() and not file.name.startswith(".")
        }

    def write(  # noqa: D102
        self, folder: str, files: dict[str, str], *, replace: bool = False
    ) -> None:
        below = self._path / folder
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            below.mkdir(mode=0o700, exist_ok=True)
            for name, text in files.items():
                _write_whole(below / name, text, replace=replace)
        except FileExistsError as exc:
            raise RefusedError(f"{exc.filename2 or exc.filename} already exists") from exc
        except OSError as exc:
            raise RefusedError(f"could not write {exc.filename or below}: {exc.strerror}") from exc


class Parameters:
    """A store of SSM SecureStrings that share a prefix and use the account's default KMS key."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.rstrip("/")
        self.place = f"ssm:{self._prefix}"
        try:
            self._ssm = boto3.client("ssm")
        except BotoCoreError as exc:
            raise UnavailableError(f"could not connect to AWS: {exc}") from exc

    def read(self, folder: str) -> dict[str, str]:  # noqa: D102
        try:
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=f"{self._prefix}/{folder}", WithDecryption=True
            )
            return {
                parameter["Name"].rpartition("/")[2]: parameter["Value"]
                for page in pages
                for parameter in page["Parameters"]
            }
        except (ClientError, BotoCoreError) as exc:
            raise _translated("read", exc) from exc

    def write(  # noqa: D102
        self, folder: str, files: dict[str, str], *, replace: bool = False
    ) -> None:
        for name, text in files.items():
            try:
                self._ssm.put_parameter(
                    Name=f"{self._prefix}/{folder}/{name}",
                    Value=text,
                    Type="SecureString",
                    Overwrite=replace,
                )
            except (ClientError, BotoCoreError) as exc:
                raise _translated("write", exc) from exc


def _write_whole(path: Path, text: str, *, replace: bool) -> None:
    new = path.with_name(f".{path.name}.new")
    # A new file, which an interrupted `init` may have left with another mode.
    with suppress(FileNotFoundError):
        new.unlink()
    new.touch(mode=0o600, exist_ok=False)
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            new.replace(path)
        else:
            # Unlike a rename, a link does not replace an existing file.
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def _translated(attempt: str, exc: ClientError | BotoCoreError) -> Exception:
    if isinstance(exc, ClientError):
        code = exc.response["Error"]["Code"]
        return RefusedError(f"could not {attempt} SSM parameters: AWS returned {code}")
    return UnavailableError(f"could not {attempt} SSM parameters: {exc}")
