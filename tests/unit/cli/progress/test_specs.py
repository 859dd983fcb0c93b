"""When two specs are the same, and what the leader's loan hides."""

import json
from typing import Any

import pytest

from cli.progress.specs import is_same_spec, is_same_template, with_stop_first, without_loan
from wire.labels import LABEL_LOAN

OWN = {
    "Name": "web",
    "Labels": {"a": "b"},
    "Mode": {"Replicated": {"Replicas": 2}},
    "UpdateConfig": {"Order": "stop-first", "Parallelism": 1},
    "TaskTemplate": {
        "ContainerSpec": {"Image": "site:1"},
        "Placement": {"Constraints": ["node.role==worker"]},
    },
}


def lent(**changes: Any) -> dict[str, Any]:
    loan = {
        "v": 1,
        "constraints": ["node.id!=n1"],
        "own": OWN["UpdateConfig"],
        "lent": {"Order": "start-first"},
        "replicas": [2, 3],
    }
    template = OWN["TaskTemplate"] | {
        "Placement": {"Constraints": ["node.role==worker", "node.id!=n1"]}
    }
    return OWN | {
        "Labels": {"a": "b", LABEL_LOAN: json.dumps(loan | changes)},
        "Mode": {"Replicated": {"Replicas": 3}},
        "UpdateConfig": {"Order": "start-first"},
        "TaskTemplate": template,
    }


def test_a_loan_changes_nothing_that_its_owner_wrote() -> None:
    assert is_same_spec(OWN, lent())
    assert without_loan(lent()) == OWN
    assert without_loan(OWN) == OWN


def test_a_scale_that_somebody_changed_during_a_loan_is_kept() -> None:
    assert without_loan(lent(replicas=[2, 9]))["Mode"] == {"Replicated": {"Replicas": 3}}


@pytest.mark.parametrize("text", ["", "what", "7", "[]", '{"constraints": 7}'])
def test_a_loan_that_cannot_be_read_stays(text: str) -> None:
    spoilt = OWN | {"Labels": {LABEL_LOAN: text}}
    assert without_loan(spoilt) == spoilt


@pytest.mark.parametrize(
    "change",
    [
        {"Labels": {"a": "c"}},
        {"Mode": {"Replicated": {"Replicas": 3}}},
        {"UpdateConfig": {"Order": "start-first", "Parallelism": 1}},
        {"EndpointSpec": {"Ports": [{"PublishedPort": 80}]}},
        {"TaskTemplate": OWN["TaskTemplate"] | {"Placement": {"Constraints": []}}},
        {"TaskTemplate": OWN["TaskTemplate"] | {"ForceUpdate": 1}},
    ],
)
def test_every_part_that_a_deployment_can_change_counts(change: dict[str, Any]) -> None:
    assert not is_same_spec(OWN, OWN | change)


def test_platforms_and_empty_values_do_not_count() -> None:
    placement = {"Constraints": ["node.role==worker"], "Platforms": [{"OS": "linux"}]}
    template = OWN["TaskTemplate"] | {"Placement": placement, "Resources": {}}
    assert is_same_spec(OWN, OWN | {"TaskTemplate": template, "EndpointSpec": {}})
    assert is_same_template(OWN["TaskTemplate"], template)


def test_stopping_first_without_settings_replaces_one_task_at_a_time() -> None:
    bare = {key: value for key, value in OWN.items() if key != "UpdateConfig"}
    assert with_stop_first(bare)["UpdateConfig"] == {"Parallelism": 1, "Order": "stop-first"}
