import secrets
from datetime import timedelta

import pytest
from builders import NOW, SECOND
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from leader.joining.arrivals import Arrivals, Drop, Lane, Pace, Recent
from wire.messages import Farewell, JoinRequest, PasswordClaim, Role
from wire.sealing import public_text, seal_request
from wire.stamps import stamped_nonce

LEADER, MEMBER, STRANGER = (PrivateKey.generate() for _ in range(3))
MEMBERS = frozenset({public_text(MEMBER.public_key)})


def boxed(*, by=None, is_stamped=False, at=NOW):
    sender = by or PrivateKey.generate()
    message = JoinRequest(
        cluster="demo",
        nonce=secrets.token_hex(16),
        reply=secrets.token_hex(16),
        role=Role.WORKER,
        issued=NOW,
        identity=PasswordClaim(name="x", address="1.1.1.1"),
    )
    nonce = stamped_nonce(sender.public_key, at) if is_stamped else None
    return seal_request(message, sender=sender, leader=LEADER.public_key, nonce=nonce)


def farewell(by):
    message = Farewell(cluster="demo", instance="i-1", node="n", reason="", at=NOW)
    return seal_request(message, sender=by, leader=LEADER.public_key)


def sort(arrivals, data, at=0.0, now=NOW):
    return arrivals.sort_request(data, at, MEMBERS, now)


def test_a_members_message_is_known_in_either_list():
    arrivals = Arrivals(plain_per_second=0)

    assert arrivals.sort_report(farewell(MEMBER), 0.0, MEMBERS) is Lane.MEMBER
    assert sort(arrivals, farewell(MEMBER)) is Lane.MEMBER, "an older agent has one list only"


def test_a_strangers_report_is_dropped_unopened():
    assert (
        Arrivals(plain_per_second=9).sort_report(farewell(STRANGER), 0.0, MEMBERS) is Drop.STRANGER
    )


def test_a_member_that_floods_is_slowed_and_others_are_not():
    other = PrivateKey.generate()
    members = MEMBERS | {public_text(other.public_key)}
    arrivals = Arrivals(plain_per_second=9)

    lanes = [arrivals.sort_report(farewell(MEMBER), 0.0, members) for _ in range(50)]

    assert lanes.count(Lane.MEMBER) == 10
    assert lanes[-1] is Drop.CROWDED
    assert arrivals.sort_report(farewell(other), 0.0, members) is Lane.MEMBER
    assert arrivals.sort_report(farewell(MEMBER), 1.0, members) is Lane.MEMBER


def test_a_stamped_request_is_opened_however_many_plain_ones_arrive():
    arrivals = Arrivals(plain_per_second=100)
    plain = [sort(arrivals, boxed()) for _ in range(300)]

    assert plain.count(Lane.PLAIN) == 100
    assert plain.count(Drop.CROWDED) == 200
    assert sort(arrivals, boxed(is_stamped=True)) is Lane.STAMPED


def test_a_stamp_by_a_wrong_clock_counts_as_none_and_is_no_fault():
    late = boxed(is_stamped=True, at=NOW - timedelta(hours=1))

    assert sort(Arrivals(plain_per_second=9), late) is Lane.PLAIN


@pytest.mark.parametrize("is_stamped", [True, False])
def test_the_same_box_again_and_again_is_dropped(is_stamped):
    arrivals = Arrivals(plain_per_second=9)
    data = boxed(is_stamped=is_stamped)
    assert sort(arrivals, data) is (Lane.STAMPED if is_stamped else Lane.PLAIN)

    again = [sort(arrivals, data) for _ in range(100)]

    assert again[:20] == [Lane.PLAIN] * 20, "a few are told that they were replayed"
    assert set(again[20:]) == {Drop.REPEATED}


def test_plain_messages_do_not_make_us_forget_stamped_ones():
    arrivals = Arrivals(plain_per_second=9)
    stamped = boxed(is_stamped=True)
    sort(arrivals, stamped)
    for _ in range(100_000):
        sort(arrivals, b"\x01" + secrets.token_bytes(200))

    assert sort(arrivals, stamped) is Lane.PLAIN
    assert {sort(arrivals, stamped) for _ in range(50)} == {Lane.PLAIN, Drop.REPEATED}


def test_what_is_remembered_is_bounded():
    recent = Recent(100)
    for number in range(1000):
        recent.remember(str(number).encode())

    assert recent.remember(b"999")
    assert not recent.remember(b"0")
    assert len(recent._newer) + len(recent._older) <= 200


@given(st.lists(st.floats(0, 3), max_size=30), st.integers(1, 5), st.integers(1, 9))
def test_a_pace_is_never_exceeded(pauses, per_second, burst):
    pace, at, allowed = Pace(per_second, burst), 0.0, 0
    for pause in pauses:
        at += pause
        allowed += pace.allows(at)

    assert allowed <= burst + at * per_second + 0.01


def test_a_pace_never_gets_ahead_when_the_clock_stands():
    pace = Pace(1.0, 2)

    assert [pace.allows(5.0) for _ in range(4)] == [True, True, False, False]
    assert pace.allows(6.0)
    assert not pace.allows(6.0)


@given(st.binary(max_size=300))
def test_no_data_makes_sorting_raise(data):
    arrivals = Arrivals(plain_per_second=9)

    assert isinstance(sort(arrivals, data), Lane | Drop)
    assert isinstance(arrivals.sort_report(data, 0.0, MEMBERS), Lane | Drop)


def test_a_stamp_is_good_for_a_minute_and_not_for_ever():
    data = boxed(is_stamped=True)

    assert sort(Arrivals(plain_per_second=9), data, now=NOW + 60 * SECOND) is Lane.STAMPED
    assert sort(Arrivals(plain_per_second=9), data, now=NOW + 120 * SECOND) is Lane.PLAIN
