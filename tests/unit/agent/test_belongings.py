import stat

import pytest
from nacl.public import PrivateKey

from agent.edges.belongings import Belongings
from wire.sealing import private_text


@pytest.fixture
def belongings(tmp_path):
    return Belongings(tmp_path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_join_key_is_root_s_alone_and_survives(belongings, tmp_path):
    key = PrivateKey.generate()
    belongings.keep_join_key(private_text(key))

    assert Belongings(tmp_path).join_key() == key
    assert mode(tmp_path / "var/lib/spotswarm/join.key") == 0o600
    assert [path.name for path in (tmp_path / "var/lib/spotswarm").iterdir()] == ["join.key"]


def test_a_new_join_replaces_the_key(belongings):
    first, second = PrivateKey.generate(), PrivateKey.generate()
    belongings.keep_join_key(private_text(first))
    belongings.keep_join_key(private_text(second))

    assert belongings.join_key() == second


def test_an_engine_that_did_not_join_by_an_ask_has_no_key(belongings):
    assert belongings.join_key() is None


def test_a_key_file_that_is_none_is_no_key(belongings, tmp_path):
    belongings.keep_join_key("")

    assert belongings.join_key() is None


def test_having_left_is_remembered_until_it_is_forgotten(belongings, tmp_path):
    assert belongings.why_left() == ""
    belongings.note_left("AWS takes it")
    assert Belongings(tmp_path).why_left() == "AWS takes it"
    belongings.forget_left()
    belongings.forget_left()
    assert belongings.why_left() == ""
