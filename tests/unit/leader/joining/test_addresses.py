"""An instance has the addresses of all its network interfaces."""

from datetime import UTC, datetime

from builders import NOW, POLICY, ask, instance, node, view
from swarm_model import QUIET

from leader.decide import due
from leader.edges.aws.instances import _instance
from leader.joining.admission import admit
from leader.view.actions import LabelNode
from leader.view.moment import Moment
from wire.messages import Availability, DenialCode

SECOND_CARD = "10.0.9.9"
TWO = instance("i-2", other_addresses=(SECOND_CARD,))


def known(*instances):
    return {
        "instances": {one.id: one for one in instances},
        "instances_at": NOW,
        "tokens": QUIET,
    }


def bound(*nodes, instances):
    actions = due(Moment(view(*nodes, **known(*instances)), POLICY, NOW))
    return {one.node: one.instance for one in actions if isinstance(one, LabelNode)}


def test_a_node_at_the_second_interfaces_address_is_bound_to_its_instance():
    """A8: it stayed unbound, and its instance was terminated after 15 minutes with its tasks."""
    other = node("n-2", address=SECOND_CARD, availability=Availability.DRAIN)

    assert bound(other, instances=(instance("i-1"), TWO)) == {"n-2": "i-2"}


def test_a_primary_address_takes_precedence_and_so_does_what_runs():
    stale = instance("i-3", state="shutting-down", address="10.0.0.1")
    odd = instance("i-4", address="10.0.0.4", other_addresses=("10.0.0.1",))

    for order in ((instance("i-1"), odd, stale), (stale, odd, instance("i-1"))):
        assert bound(node("n-1"), instances=order) == {"n-1": "i-1"}


def test_an_instance_without_an_address_is_nobodys():
    lost = node("n-1", address="")

    assert bound(lost, instances=(instance("i-1", address=""),)) == {}


def test_an_instance_whose_node_is_at_the_second_interface_gets_no_second_token():
    seen = view(node("n-2", address=SECOND_CARD), **known(TWO))

    denied = admit(ask(TWO), seen, POLICY, NOW)

    assert denied is not None
    assert denied.code is DenialCode.ALREADY_JOINED


def test_all_addresses_are_read_from_what_ec2_says():
    raw = {
        "InstanceId": "i-2",
        "State": {"Name": "running"},
        "Placement": {"AvailabilityZone": "eu-central-1a"},
        "InstanceType": "t3.small",
        "LaunchTime": datetime(2026, 11, 23, tzinfo=UTC),
        "PrivateIpAddress": "10.0.0.2",
        "NetworkInterfaces": [
            {
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.0.2"},
                    {"PrivateIpAddress": "10.0.0.3"},
                ],
                "Ipv6Addresses": [{"Ipv6Address": "fd00::2"}],
            },
            {"PrivateIpAddresses": [{"PrivateIpAddress": SECOND_CARD}, {}]},
            {},
        ],
    }
    bare = {key: raw[key] for key in raw if key not in {"NetworkInterfaces", "PrivateIpAddress"}}

    found, ended = _instance(raw), _instance(bare)

    assert found.addresses == ("10.0.0.2", "10.0.0.3", "fd00::2", SECOND_CARD)
    assert ended.addresses == ()
