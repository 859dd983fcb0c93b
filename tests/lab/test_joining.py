"""Instances join by themselves, as what EC2 says they are."""

import json
from ipaddress import ip_network

import pytest
from scenario import BASE, eventually


@pytest.mark.engines
def test_six_instances_boot_prove_who_they_are_and_join(scenario):
    nodes = scenario.lab.wait_nodes(BASE)

    assert sorted(row["role"] for row in nodes) == ["manager"] * 3 + ["worker"] * 3
    for row in nodes:
        assert row["status"] == "ready"
        assert row["availability"] == "active"
        assert row["instance"].startswith("i-")
        assert row["lifecycle"] == ("on-demand" if row["role"] == "manager" else "spot")
        assert row["phase"] is None
    assert {row["zone"][-1] for row in nodes if row["role"] == "manager"} == {"a", "b", "c"}
    listed = {(row["hostname"], row["address"]) for row in nodes}
    # What an earlier scenario launched may still be on its way out.
    eventually(
        lambda: listed == {(one.hostname, one.address) for one in scenario.lab.machines()},
        what="a machine for every node and no other",
    )


@pytest.mark.engines
def test_the_founder_made_the_overlay_networks_and_keeps_the_elastic_ip(scenario):
    leader = scenario.leader()

    shown = leader.docker("network", "ls", "--filter", "driver=overlay", "--format", "{{.Name}}")
    assert {"proxy", "auth", "services"} <= set(shown.split())
    addresses = scenario.lab.aws("ec2").describe_addresses()["Addresses"]
    assert [address["InstanceId"] for address in addresses] == [leader.instance]
    subnets = "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
    overlays = leader.docker("network", "inspect", "-f", subnets, "proxy", "auth", "services")
    vpc = scenario.lab.aws("ec2").describe_vpcs()["Vpcs"][0]
    taken = [ip_network(one["CidrBlock"]) for one in vpc["CidrBlockAssociationSet"]]
    for overlay in map(ip_network, overlays.split()):
        assert overlay.prefixlen == 20
        assert not any(overlay.overlaps(block) for block in taken)


def test_labels_are_ec2s_word(scenario):
    worker = scenario.launch(zone="b", instance_type="t3.medium")
    scenario.serves(worker)

    row = scenario.node(worker.instance)
    spec = json.loads(scenario.leader().docker("node", "inspect", row["node"]))[0]["Spec"]
    assert spec["Labels"].pop("spotswarm.key")
    assert spec["Labels"] == {
        "spotswarm.instance": worker.instance,
        "spotswarm.lifecycle": "spot",
        "spotswarm.zone": "eu-central-1b",
        "spotswarm.type": "t3.medium",
    }


def test_twelve_workers_launched_at_once_all_join(scenario):
    workers = scenario.launch(count=12)

    scenario.serves(*workers, within=120)


def test_a_machine_image_booted_twice_gives_two_engine_ids(scenario):
    machines = scenario.lab.machines()

    engines = {one.docker("info", "--format", "{{.ID}}").strip() for one in machines}
    machine_ids = {one.run("cat", "/etc/machine-id").stdout for one in machines}
    assert len(machines) >= BASE
    assert len(engines) == len(machines)
    assert len(machine_ids) == len(machines)


def test_a_disk_copied_from_another_instance_forgets_whose_it_was(scenario):
    worker = scenario.launch()
    scenario.serves(worker)
    before = identities(worker)
    leader = scenario.leader()
    leader.docker("node", "update", "--label-add", "disk=ssd", before[1])

    worker.write("/var/lib/spotswarm/instance", "i-00000000000000000\n")
    worker.run("systemctl", "restart", "spotswarm-agent", timeout=90)

    after = eventually(lambda: identities(worker), within=90, what="a new membership")
    assert not set(before) & set(after)
    scenario.serves(worker)
    assert "another instance" in worker.journal("spotswarm-agent")

    def has_its_label():
        shown = leader.docker("node", "inspect", "-f", "{{json .Spec.Labels}}", after[1])
        return json.loads(shown).get("disk") == "ssd"

    eventually(has_its_label, within=60, what="the operator's label on the new node")


def identities(machine):
    """The engine's id and its node's, or nothing while it is in no swarm."""
    said = machine.run("docker", "info", "--format", "{{.ID}} {{.Swarm.NodeID}}", check=False)
    found = said.stdout.split()
    return found if len(found) == 2 else None


def test_status_and_explain_say_why(scenario):
    worker = scenario.launch()
    scenario.serves(worker)

    told = scenario.ask_leader("explain", worker.hostname)
    actions = [decision["action"] for decision in told["decisions"]]
    # On a busy host an action can fail and is then repeated.
    assert list(dict.fromkeys(actions)) == ["GrantJoin", "LabelNode", "ProbeNode", "ActivateNode"]
    last = {decision["action"]: decision["outcome"] for decision in told["decisions"]}
    assert set(last.values()) == {"done"}
    assert all(decision["reason"] and decision["cause"] for decision in told["decisions"])
    status = scenario.ask_leader("status")
    assert status["stance"] == "leading"
    assert status["unbound"] == []
