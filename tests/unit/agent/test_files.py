import stat

import pytest
from nacl.public import PrivateKey

from agent.edges.files import LocalFiles
from wire.sealing import private_text


@pytest.fixture
def files(tmp_path):
    return LocalFiles(tmp_path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_only_root_can_read_the_join_key_and_it_survives_a_restart(files, tmp_path):
    key = PrivateKey.generate()
    files.store_join_key(private_text(key))

    assert LocalFiles(tmp_path).join_key() == key
    assert mode(tmp_path / "var/lib/spotswarm/join.key") == 0o600
    assert [path.name for path in (tmp_path / "var/lib/spotswarm").iterdir()] == ["join.key"]


def test_a_new_join_replaces_the_join_key(files):
    first, second = PrivateKey.generate(), PrivateKey.generate()
    files.store_join_key(private_text(first))
    files.store_join_key(private_text(second))

    assert files.join_key() == second


def test_an_engine_that_joined_without_a_request_has_no_join_key(files):
    assert files.join_key() is None


def test_a_spoilt_key_file_is_no_join_key(files, tmp_path):
    files.store_join_key("")

    assert files.join_key() is None


def test_a_departure_is_remembered_until_it_is_cleared(files, tmp_path):
    assert files.departure_reason() == ""
    files.record_departure("AWS takes it")
    assert LocalFiles(tmp_path).departure_reason() == "AWS takes it"
    files.clear_departure()
    files.clear_departure()
    assert files.departure_reason() == ""
