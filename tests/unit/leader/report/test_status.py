import json
from dataclasses import replace

from builders import NOW, POLICY, ask, instance, manager_node, node, view

from leader.decide import decide
from leader.report import status as report
from leader.report.record import Record
from leader.view.actions import ChangeService, RemoveNode
from leader.view.events import JoinAsked
from leader.view.ids import ServiceId
from leader.view.notices import Notice, Notices
from leader.view.pools import Pools
from leader.view.work import Service, Work
from wire.messages import Role

LABELS = {
    "spotswarm.instance": "i-1",
    "spotswarm.lifecycle": "spot",
    "spotswarm.zone": "eu-central-1a",
}
SEEN = view(
    node("n-1abcdef", labels=LABELS, address="10.0.0.1"),
    manager_node("n-9", is_leader=True),
    instances={"i-1": instance("i-1")},
    instances_at=NOW,
)


def test_nodes_have_the_promised_fields_and_managers_come_first():
    rows = report.nodes(SEEN)

    assert [row["role"] for row in rows] == ["manager", "worker"]
    promised = {"hostname", "role", "status", "availability", "instance", "lifecycle", "zone"}
    assert promised <= set(rows[0])
    assert rows[1]["instance"] == "i-1"
    assert rows[1]["lifecycle"] == "spot"
    assert rows[0]["instance"] is None
    json.dumps(rows)


def recorded():
    record = Record()
    seen, actions = decide(SEEN, JoinAsked("join-1", NOW, ask(instance("i-2"))), POLICY)
    for action in actions:
        record.decided(action, NOW)
    seen, more = decide(
        seen,
        JoinAsked("join-2", NOW, ask(instance("i-3"), Role.MANAGER, nonce="c" * 32)),
        POLICY,
    )
    for action in more:
        record.decided(action, NOW)
    record.ended(actions[0], "done")
    return seen, record


def test_joins_are_told_newest_first_with_their_reasons():
    _, record = recorded()

    denied, granted = report.joins(record)

    assert (granted["instance"], granted["answer"]) == ("i-2", "granted")
    assert (denied["instance"], denied["code"]) == ("i-3", "spot-manager")
    assert "must be on-demand" in denied["reason"]


def test_a_node_is_explained_by_any_of_its_names():
    seen, record = recorded()

    for name in ("ip-10-0-0-1abcdef", "i-1", "n-1abc", "10.0.0.1"):
        told = report.explain(seen, record, name)
        assert told is not None, name
        assert told["nodes"][0]["instance"] == "i-1"
    asked = report.explain(seen, record, "i-2")
    assert asked is not None
    assert asked["decisions"][0]["outcome"] == "done"
    assert asked["decisions"][0]["cause"] == "join-1"
    assert asked["joins"][0]["answer"] == "granted"


def test_what_nobody_knows_is_not_explained():
    seen, record = recorded()

    for name in ("i-404", "n-1", "", "nothing"):
        assert report.explain(seen, record, name) is None


def test_the_summary_counts_and_names_the_unbound():
    told = report.summary(SEEN, at=NOW, wanted_managers=3)

    assert told["by_status"] == {"workers_ready": 1, "managers_ready": 1}
    assert told["unbound"] == ["ip-10-0-0-9"]


def test_nodes_say_why_they_leave_and_by_when():
    (row,) = report.nodes(
        view(node(labels={"spotswarm.why": "operator", "spotswarm.deadline": "x"}))
    )

    assert (row["why"], row["deadline"], row["phase"]) == ("operator", "x", None)


ANNOUNCED = replace(
    SEEN,
    pools=Pools({("t3.small", "eu-central-1a"): NOW}),
    notices=Notices()
    .merge(Notice("i-1", "interruption", "queue", NOW, NOW, "terminate"))
    .merge(Notice("i-2", "rebalance", "agent", NOW)),
)


def test_the_summary_tells_what_aws_announced():
    told = report.summary(ANNOUNCED, at=NOW, wanted_managers=3)

    assert told["leaving"] == 0
    assert [one["kind"] for one in told["notices"]] == ["interruption", "rebalance"]
    assert told["penalties"][0]["zone"] == "eu-central-1a"
    json.dumps(told)


def test_an_instance_is_explained_with_what_stands_announced_of_it():
    told = report.explain(ANNOUNCED, Record(), "i-1")

    assert [one["action"] for one in told["notices"]] == ["terminate"]


def change(**fields):
    spec = {"name": "web", "version": 1, "constraints": (), "update": None, "replicas": 1}
    said = {"label": None, "reason": "it is uneven", "cause": "work-1"}
    return ChangeService(service=ServiceId("s1"), **(spec | said | fields))


def test_a_service_is_explained_by_the_decisions_on_it():
    record = Record()
    work = Work.of([Service(ServiceId("s1"), "web", 1)], [])
    record.decided(change(), NOW)

    answer = report.explain(replace(SEEN, work=work), record, "web")

    assert answer["decisions"][0]["reason"] == "it is uneven"
    assert answer["service_changes"] == []
    assert report.explain(replace(SEEN, work=work), Record(), "web") is None


def test_a_node_is_explained_with_the_service_changes_made_because_of_it():
    record = Record()
    record.decided(change(reason="about n-1", nodes=("n-1", "n-2")), NOW)
    record.decided(change(reason="about n-2", nodes=("n-2",)), NOW)
    seen = view(node("n-1"), node("n-2"))

    answer = report.explain(seen, record, "n-1")

    assert list(answer)[-1] == "service_changes"
    (row,) = answer["service_changes"]
    assert (row["reason"], row["subject"]) == ("about n-1", "service s1")
    assert set(row) == {
        "at", "action", "subject", "instance", "reason", "cause", "outcome", "tasks",
    }  # fmt: skip
    json.dumps(answer)


def test_a_removed_node_is_still_explained_with_the_service_changes():
    record = Record()
    record.decided(RemoveNode(node="n-1", instance="i-1", reason="x", cause="e-1"), NOW)
    record.decided(change(nodes=("n-1",)), NOW)

    answer = report.explain(view(), record, "i-1")

    assert [row["action"] for row in answer["service_changes"]] == ["ChangeService"]
