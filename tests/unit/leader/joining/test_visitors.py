from hypothesis import given
from hypothesis import strategies as st

from leader.edges.broker.visitors import parse
from leader.joining.visitors import Visitor, to_close

LISTED = """\
id=3 addr=127.0.0.1:50000 fd=8 name= age=90 idle=0 flags=N db=0 user=leader cmd=ping
id=4 addr=192.5.6.7:40001 fd=9 name= age=3 idle=3 flags=b db=0 user=agent cmd=blpop
id=5 addr=[2001:db8::1]:40002 fd=10 name= age=61 idle=0 flags=N db=0 user=agent cmd=rpush lib-x=y
id=6 addr=192.5.6.8:40003 laddr=y fd=11 name= age=9 idle=9 flags=N db=0 user=default cmd=NULL
a line of tomorrow
"""


def visitor(id_, address="192.5.6.1", age=1, *, is_logged_in=True, is_waiting=True):
    return Visitor(id_, address, age, is_logged_in, is_waiting)


def closed(*visitors, most=100):
    return [connection.id for connection in to_close(visitors, most=most)]


def test_the_list_of_connections_is_read_without_the_leaders_own():
    assert parse(LISTED) == [
        Visitor(4, "192.5.6.7", 3, is_logged_in=True, is_waiting=True),
        Visitor(5, "2001:db8::1", 61, is_logged_in=True, is_waiting=False),
        Visitor(6, "192.5.6.8", 9, is_logged_in=False, is_waiting=False),
    ]


def test_an_agent_that_waits_for_its_reply_is_left_alone():
    assert closed(visitor(1, age=20), visitor(2, age=25)) == []


def test_who_does_not_log_in_or_wait_or_waits_for_ever_is_closed():
    reasons = to_close(
        [
            visitor(1, age=11, is_logged_in=False, is_waiting=False),
            visitor(2, age=13, is_waiting=False),
            visitor(3, age=41),
            visitor(4, age=2, is_waiting=False),
            visitor(5, age=2, is_logged_in=False, is_waiting=False),
        ],
        most=100,
    )

    assert reasons == ((1, "not-logged-in"), (2, "not-waiting"), (3, "waiting-too-long"))


def test_in_a_crowd_the_address_with_the_most_loses_its_oldest():
    many = [visitor(number, "192.5.6.1", age=number) for number in range(1, 9)]
    few = [visitor(100 + number, "192.5.6.2", age=30) for number in range(2)]

    assert closed(*many, *few, most=7) == [8, 7, 6]


def test_a_gateway_with_many_instances_behind_it_loses_no_more_than_it_must():
    gateway = [visitor(number, "192.5.6.1", age=5) for number in range(50)]

    assert len(closed(*gateway, most=45)) == 5
    assert closed(*gateway, most=50) == []


def test_private_addresses_come_first():
    ours = [visitor(number, f"10.0.0.{number}", age=30) for number in range(50)]
    strangers = [visitor(100 + number, "192.5.6.1", age=1) for number in range(3)]

    assert sorted(closed(*ours, *strangers, most=40)) == [100, 101, 102]
    assert closed(*ours, most=40) == []


visitors = st.lists(
    st.builds(
        visitor,
        st.integers(1, 10_000),
        st.sampled_from(["10.0.0.1", "192.5.6.1", "192.5.6.2", "", "not an address"]),
        st.integers(0, 60),
        is_logged_in=st.booleans(),
        is_waiting=st.booleans(),
    ),
    max_size=40,
    unique_by=lambda each: each.id,
)


@given(visitors, st.integers(0, 40))
def test_nobody_is_closed_twice_and_no_patient_private_agent_at_all(listed, most):
    closing = [connection.id for connection in to_close(listed, most=most)]

    assert len(closing) == len(set(closing))
    for each in listed:
        if each.address == "10.0.0.1" and each.is_logged_in and each.is_waiting:
            assert each.id not in closing or each.age_seconds > 40


@given(st.text(max_size=200))
def test_no_list_makes_the_reader_raise(text):
    assert isinstance(parse(text), list)


def test_who_logs_in_for_as_long_as_a_joining_agent_waits_is_not_closed():
    """A thousand TLS handshakes at once take seconds, and `agent.edges.broker` waits for 8."""
    assert (
        closed(
            visitor(1, age=9, is_logged_in=False, is_waiting=False),
            visitor(2, age=9, is_waiting=False),
        )
        == []
    )
