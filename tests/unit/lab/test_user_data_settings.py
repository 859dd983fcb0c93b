"""A scenario's settings are laid over what our own command printed."""

import tomllib

from lab.cluster import merged

MANAGERS = '#spotswarm\ncluster = "demo"\n\n[leader]\nmanagers = 3\nbroker = "process"\n'
WORKERS = '#spotswarm\ncluster = "demo"\n'


def test_the_leaders_settings_go_into_the_leaders_table() -> None:
    text = merged(MANAGERS, leader={"queue": "http://q", "managers": 1}, agent={"farewell": 5})

    assert text.startswith("#spotswarm\n")
    assert tomllib.loads(text) == {
        "cluster": "demo",
        "farewell": 5,
        "leader": {"managers": 1, "broker": "process", "queue": "http://q"},
    }


def test_a_worker_gets_no_leaders_table() -> None:
    text = merged(WORKERS, leader={"queue": "http://q"}, agent={})

    assert tomllib.loads(text) == {"cluster": "demo"}
