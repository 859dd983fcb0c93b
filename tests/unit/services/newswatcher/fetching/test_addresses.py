"""Which addresses belong to the public internet."""

import pytest

from services.newswatcher.fetching.addresses import is_public


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00::1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255"),
        *("192.0.0.192", "192.0.0.9", "::ffff:192.0.0.192", "64:ff9b::c000:c0", "2002:c000:c0::"),
        *("198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"),
        *("ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "fec0::1", "::127.0.0.1", "::ffff:0:7f00:1"),
        *("2001:0:4136:e378:8000:63bf:f5ff:fffe", "192.88.99.1", "3fff::1", "5f00::1", "100::1"),
        *("64:ff9b::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "name.example", ""),
    ],
)
def test_an_address_of_any_other_network_is_not_public(address: str) -> None:
    assert not is_public(address)
