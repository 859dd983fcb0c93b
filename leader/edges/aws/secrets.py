"""Reads the cluster's secrets from a directory or from SSM."""

import stat
from pathlib import Path

from leader.edges.aws.clients import Aws
from runtime.errors import RefusedError
from wire.cluster_secrets import ClusterSecrets
from wire.messages import MalformedMessage


async def read(source: str, aws: Aws | None) -> ClusterSecrets:
    """Read the cluster's secrets from `file:/directory` or `ssm:/prefix`.

    Raises:
        RefusedError: if a secret is missing or other users can read it; the message explains what
            to do.
        UnavailableError: if SSM does not respond.
    """
    scheme, _, place = source.partition(":")
    if scheme == "file":
        files = _directory(Path(place))
    elif aws is None:
        raise RefusedError('secrets in SSM require AWS; set secrets = "file:/directory" instead')
    else:
        files = await _parameters(aws, place)
    try:
        return ClusterSecrets.from_files(files)
    except MalformedMessage as exc:
        raise RefusedError(f"{source}: {exc}; create them with `spotswarm init`") from exc


def _directory(path: Path) -> dict[str, str]:
    if not path.is_dir():
        raise RefusedError(f"the directory {path} does not exist; create it with `spotswarm init`")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise RefusedError(f"other users can access {path}; run `chmod -R go= {path}`")
    try:
        files = [file for file in path.iterdir() if file.is_file()]
        return {file.name: file.read_text().rstrip("\n") for file in files}
    except (OSError, UnicodeDecodeError) as exc:
        raise RefusedError(f"could not read the secrets in {path}: {type(exc).__name__}") from None


async def _parameters(aws: Aws, prefix: str) -> dict[str, str]:
    def read_all() -> dict[str, str]:
        pages = aws.ssm.get_paginator("get_parameters_by_path").paginate(
            Path=prefix, WithDecryption=True
        )
        return {
            parameter["Name"].rpartition("/")[2]: parameter["Value"]
            for page in pages
            for parameter in page["Parameters"]
        }

    return await aws.call(f"read the secrets under {prefix}", read_all)
