"""An `init` that ends in the middle loses no key and does not block the next one."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from cli.__main__ import app
from cli.edges import stores
from cli.founding.leftovers import Founding, leftovers
from wire.cluster_secrets import LEADER, OPERATOR, ClusterSecrets

LEADERS = ("ca.crt", "broker.crt", "broker.key", "leader.key", "agent.password", "leader.password")
FILES = ("ca.key", "agent.toml", *LEADERS)


def init(place: Path) -> Any:
    command = ["init", "--cluster", "demo", "--address", "198.51.100.7", "--directory", str(place)]
    return CliRunner().invoke(app, command)


def texts(place: Path, folder: str) -> dict[str, str]:
    return stores.Directory(place).read(folder)


def is_whole(place: Path) -> bool:
    """Whether the CA's key belongs to the CA, and the leader has all its secrets."""
    leader = ClusterSecrets.from_files(texts(place, LEADER))
    key = load_pem_private_key(texts(place, OPERATOR)["ca.key"].encode(), password=None)
    ca = x509.load_pem_x509_certificate(leader.ca.encode())
    leaf = x509.load_pem_x509_certificate(leader.certificate.encode())
    leaf.verify_directly_issued_by(ca)
    password = leader.agent_password.get_secret_value()
    return ca.public_key() == key.public_key() and password in texts(place, OPERATOR)["agent.toml"]


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_second_init_goes_on_after_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    place, written = tmp_path / "secrets", []
    write = stores._write_whole

    def full(path: Path, text: str, *, replace: bool) -> None:
        if len(written) == number:
            raise OSError(28, "No space left on device", str(path))
        written.append(path.name)
        write(path, text, replace=replace)

    monkeypatch.setattr(stores, "_write_whole", full)
    first = init(place)
    assert first.exit_code == 4
    assert "No space left on device" in first.stderr
    assert "run the same command again" in first.stderr
    assert written == list(FILES[:number])
    before = texts(place, OPERATOR).get("ca.key")
    monkeypatch.undo()

    second = init(place)

    assert second.exit_code == 0, second.stderr
    assert is_whole(place)
    if before is not None:
        assert texts(place, OPERATOR)["ca.key"] == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.rglob("*"))
    third = init(place)
    assert third.exit_code == 2
    assert "already contains" in third.stderr


def test_a_file_that_was_not_written_counts_as_missing(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    init(place)
    (place / LEADER / "leader.password").write_text("")
    key = texts(place, OPERATOR)["ca.key"]

    assert init(place).exit_code == 0
    assert is_whole(place)
    assert texts(place, OPERATOR)["ca.key"] == key


def test_a_leader_that_may_run_is_never_locked_out(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    init(place)
    (place / OPERATOR / "ca.key").unlink()
    before = texts(place, LEADER)

    again = init(place)

    assert again.exit_code == 2
    assert "restore /operator from your copy" in " ".join(again.stderr.split())
    assert texts(place, LEADER) == before


@pytest.mark.parametrize("key", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_that_cannot_be_read_is_replaced(key: str) -> None:
    assert leftovers({}, {"ca.key": key}).ca_key is None
    assert leftovers({}, {"ca.key": key}).founding is Founding.INTERRUPTED
