"""Overlay networks never hide what tasks must reach."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most

from leader.upkeep.subnets import PREFIX, choose_pool, free_subnet, neighbourhood

LOCAL = (IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""What Docker's local networks use."""

blocks = st.builds(
    lambda number, prefix: IPv4Network((number, prefix), strict=False),
    st.integers(10 << 24, (11 << 24) - 1),
    st.integers(12, 28),
)


def test_in_the_commonest_vpc_the_pool_is_elsewhere():
    assert choose_pool([IPv4Network("10.0.0.0/16")]) == IPv4Network("10.240.0.0/12")
    assert choose_pool([IPv4Network("10.0.0.0/8")]) == IPv4Network("100.112.0.0/12")
    assert choose_pool([IPv4Network("0.0.0.0/0")]) is None


@at_most(50)
@given(st.lists(blocks, max_size=12))
def test_a_pool_and_a_subnet_meet_none_of_the_blocks(taken):
    pool, subnet = choose_pool(taken), free_subnet(taken)

    for chosen in (pool, subnet):
        assert chosen is not None
        assert not any(chosen.overlaps(block) for block in (*taken, *LOCAL))
    assert subnet.prefixlen == PREFIX


def test_subnets_of_the_operators_pool_are_used_one_after_the_other():
    pool = IPv4Network("10.9.0.0/19")
    first = free_subnet((), pool=pool)
    second = free_subnet((first,), pool=pool)

    assert {first, second} == set(pool.subnets(new_prefix=PREFIX))
    assert free_subnet((first, second), pool=pool) is None


def test_a_machines_own_block_stands_for_an_unknown_vpc():
    assert neighbourhood("10.3.7.9") == IPv4Network("10.3.0.0/16")
    assert neighbourhood("2001:db8::1") is neighbourhood("") is None
