import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import AllClear, NoticesChanged
from agent.model import AwsNotice
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE, NoticeBoard, read, update
from lab.aws.announced import Announced, By, Interruption, Maintenance
from lab.aws.eventbridge import Action, Code
from wire.messages import MalformedMessage, Notice

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AT = NOW + timedelta(minutes=2)
GOING = (AwsNotice("interruption", AT, "terminate"),)
HINT = (AwsNotice("rebalance", NOW),)
REBOOT = (AwsNotice("maintenance", AT, None, "instance-event-1", "system-reboot"),)


def maintenance(**changed):
    event = {
        "NotBefore": "21 Jan 2019 09:00:43 GMT",
        "Code": "system-reboot",
        "Description": "scheduled reboot",
        "EventId": "instance-event-0d59937288b749b32",
        "NotAfter": "21 Jan 2019 09:17:23 GMT",
        "State": "active",
    }
    return event | changed


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_an_interruption_is_read_as_aws_documents_it(action):
    text = f'{{"action": "{action}", "time": "2017-09-18T08:22:00Z"}}'

    assert read(INTERRUPTION, text) == (
        AwsNotice("interruption", datetime(2017, 9, 18, 8, 22, tzinfo=UTC), action),
    )


def test_a_rebalance_recommendation_is_read_as_aws_documents_it():
    assert read(REBALANCE, '{"noticeTime": "2020-10-27T08:22:00Z"}') == (
        AwsNotice("rebalance", datetime(2020, 10, 27, 8, 22, tzinfo=UTC)),
    )


def test_a_maintenance_is_read_as_aws_documents_it():
    assert read(MAINTENANCE, json.dumps([maintenance()])) == (
        AwsNotice(
            "maintenance",
            datetime(2019, 1, 21, 9, 0, 43, tzinfo=UTC),
            None,
            "instance-event-0d59937288b749b32",
            "system-reboot",
        ),
    )


@pytest.mark.parametrize("code", ["instance-stop", "instance-retirement"])
def test_a_maintenance_that_ends_the_machine_is_a_stop(code):
    assert read(MAINTENANCE, json.dumps([maintenance(Code=code)]))[0].action == "stop"


@pytest.mark.parametrize("state", ["completed", "canceled"])
def test_a_maintenance_that_is_over_is_no_notice(state):
    assert read(MAINTENANCE, json.dumps([maintenance(State=state)])) == ()


def test_an_empty_list_of_maintenances_is_no_notice():
    assert read(MAINTENANCE, "[]") == ()


@pytest.mark.parametrize("path", [INTERRUPTION, REBALANCE, MAINTENANCE])
def test_a_path_that_does_not_exist_means_no_notice(path):
    assert read(path, None) == ()


@pytest.mark.parametrize("path", [INTERRUPTION, REBALANCE, MAINTENANCE])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "null",
        "7",
        "[[]]",
        '{"action": "explode", "time": "2017-09-18T08:22:00Z", "noticeTime": 7.5e99}',
        '{"action": "stop", "time": "soon", "noticeTime": "soon"}',
        '{"action": "stop", "time": "2017-09-18T08:22:00", "noticeTime": "2017-09-18T08:22:00"}',
        json.dumps([maintenance(NotBefore="2019-01-21T09:00:43Z")]),
        json.dumps([maintenance(EventId="a b")]),
        "[" * 5000,
    ],
)
def test_a_text_of_unknown_format_is_malformed(path, text):
    with pytest.raises(MalformedMessage):
        read(path, text)


@given(st.sampled_from([INTERRUPTION, REBALANCE, MAINTENANCE]), st.text(max_size=80))
def test_no_text_crashes_the_reader(path, text):
    try:
        read(path, text)
    except MalformedMessage:
        return


def test_what_the_lab_announces_is_read_as_it_was_meant():
    coming = Announced(
        interruption=Interruption(Action.STOP, AT, By.BOTH),
        hinted=NOW,
        maintenance=Maintenance("instance-event-0123", Code.RETIREMENT, AT, By.BOTH),
    )

    assert {path: read(path, coming.text(path)) for path in (INTERRUPTION, REBALANCE)} == {
        INTERRUPTION: (AwsNotice("interruption", AT, "stop"),),
        REBALANCE: HINT,
    }
    assert read(MAINTENANCE, coming.text(MAINTENANCE)) == (
        AwsNotice("maintenance", AT, "stop", "instance-event-0123", "instance-retirement"),
    )
    assert [read(path, Announced().text(path)) for path in (INTERRUPTION, MAINTENANCE)] == [(), ()]


def test_every_notice_fits_into_a_message():
    for path, text in (
        (INTERRUPTION, '{"action": "stop", "time": "2017-09-18T08:22:00Z"}'),
        (REBALANCE, '{"noticeTime": "2020-10-27T08:22:00Z"}'),
        (MAINTENANCE, json.dumps([maintenance()])),
    ):
        (notice,) = read(path, text)
        Notice(
            cluster="demo",
            instance="i-1",
            notice=notice.kind,
            action=notice.action,
            effective=notice.effective,
            event=notice.event,
            seen=NOW,
        )


def watched(*answers):
    """(seconds, path, notices) → the board, and the news of each answer."""
    board, changes = NoticeBoard(), []
    for seconds, path, notices in answers:
        board, change = update(board, path, notices, NOW + seconds * SECOND)
        changes.append(change)
    return board, changes


def test_a_notice_is_news_once():
    board, changes = watched(
        (0, INTERRUPTION, ()), (2, INTERRUPTION, GOING), (4, INTERRUPTION, GOING)
    )

    assert changes == [None, NoticesChanged(NOW + 2 * SECOND, GOING[0]), None]
    assert board.standing[0].first_seen == NOW + 2 * SECOND


def test_a_changed_time_is_news_but_does_not_change_when_the_notice_was_first_seen():
    later = (AwsNotice("interruption", AT + SECOND, "terminate"),)
    board, changes = watched((0, INTERRUPTION, GOING), (2, INTERRUPTION, later))

    assert changes[1] == NoticesChanged(NOW + 2 * SECOND, later[0])
    assert [(standing.notice, standing.first_seen) for standing in board.standing] == [
        (later[0], NOW)
    ]


def test_an_interruption_comes_first_and_is_reported_alone():
    board, changes = watched(
        (0, REBALANCE, HINT), (1, MAINTENANCE, REBOOT), (2, INTERRUPTION, GOING)
    )

    assert [change.notice.kind for change in changes] == [
        "rebalance",
        "maintenance",
        "interruption",
    ]
    assert [standing.notice.kind for standing in board.to_report] == ["interruption"]


def test_maintenance_and_recommendation_are_both_reported():
    board, _ = watched((0, REBALANCE, HINT), (1, MAINTENANCE, REBOOT))

    assert [standing.notice.kind for standing in board.to_report] == ["maintenance", "rebalance"]


def test_a_single_answer_without_the_notice_withdraws_nothing():
    board, changes = watched(
        (0, INTERRUPTION, GOING), (2, INTERRUPTION, ()), (60, INTERRUPTION, ())
    )

    assert changes[1:] == [None, None]
    assert board.standing


def test_a_notice_missing_for_a_minute_is_withdrawn_and_all_is_clear():
    board, changes = watched(
        (0, INTERRUPTION, GOING), *((s, INTERRUPTION, ()) for s in range(2, 80, 2))
    )

    assert [change for change in changes[1:] if change] == [AllClear(NOW + 62 * SECOND)]
    assert board.standing == ()


def test_if_one_of_two_notices_is_withdrawn_the_other_stands():
    _, changes = watched(
        (0, INTERRUPTION, GOING),
        (0, REBALANCE, HINT),
        (61, REBALANCE, HINT),
        (62, INTERRUPTION, ()),
    )

    assert changes[-1] == NoticesChanged(NOW + 62 * SECOND, HINT[0])


def test_of_two_maintenances_the_one_that_is_over_is_withdrawn_by_its_id():
    other = AwsNotice("maintenance", AT, None, "instance-event-2", "system-reboot")
    board, _ = watched(
        (0, MAINTENANCE, (*REBOOT, other)), (30, MAINTENANCE, (other,)), (61, MAINTENANCE, (other,))
    )

    assert [standing.notice.event for standing in board.standing] == ["instance-event-2"]


def test_a_restarted_agent_reports_all_clear_only_after_a_minute_without_notices():
    _, changes = watched(*((s, INTERRUPTION, ()) for s in range(0, 200, 2)))

    assert [change for change in changes if change] == [AllClear(NOW + 62 * SECOND)]
