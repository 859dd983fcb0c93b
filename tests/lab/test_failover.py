"""The manager that leads loses its power while workers serve."""

import pytest

from lab.load import ingress


@pytest.mark.engines
def test_a_manager_that_led_is_lost_under_load_and_another_one_leads(farm):
    lost = farm.leader()
    others = [one for one in ingress.managers(farm.lab) if one.instance != lost.instance]
    with farm.under_load(at=others):
        farm.lab.kill(lost.instance)
        try:
            leader = farm.leader(within=90)
            assert leader.instance in {other.instance for other in others}
            (worker,) = farm.launch(count=1)
            farm.serves(worker, within=90)
        finally:
            farm.lab.reboot(lost.instance)
        farm.shows(lost.instance, within=90, status="ready", reachability="reachable")

    addresses = farm.lab.aws("ec2").describe_addresses()["Addresses"]
    assert [address["InstanceId"] for address in addresses] == [leader.instance]
