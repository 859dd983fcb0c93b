"""Names and addresses: what clean-up finds things by."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import sweep
from lab.aws import account
from lab.machines import cgroups, net, power
from lab.machines.record import Record, Stage, read, read_all
from lab.places import METADATA, ZONES, Places

DEMO = Places(lab=Path("/lab"), cache=Path("/cache"))
OTHER = Places(lab=Path("/lab-other"), cache=Path("/cache"), name="other")
ON_THE_HOST = (
    "number", "network", "gateway", "elastic", "leader_address", "aws_endpoint", "registry",
    "window_port", "bridge", "link_prefix", "namespace_prefix", "chain_prefix", "cgroup",
    "building_prefix",
)  # fmt: skip


def test_the_demo_lab_has_the_names_it_always_had() -> None:
    assert str(DEMO.network) == "10.98.0.0/24"
    assert str(DEMO.leader_address) == "10.99.0.10"
    assert DEMO.bridge == "ssw-br0"
    assert DEMO.cgroup == "spotswarm-lab"
    assert DEMO.chain_prefix == "SPOTSWARM-"
    assert DEMO.window_port == 8000


def test_two_labs_have_nothing_on_the_host_in_common() -> None:
    assert [what for what in ON_THE_HOST if getattr(DEMO, what) == getattr(OTHER, what)] == []


@pytest.mark.parametrize("prefix", ["link_prefix", "namespace_prefix", "chain_prefix"])
def test_what_one_lab_looks_for_is_never_another_ones(prefix: str) -> None:
    names = [Places(Path("/lab"), Path("/cache"), f"lab-{number}") for number in range(300)]
    prefixes = {getattr(places, prefix) for places in (DEMO, *names)}
    follows = {"link_prefix": "133", "namespace_prefix": "i-0", "chain_prefix": "OUT"}[prefix]

    assert len(prefixes) > 150
    for own in prefixes:
        assert [other for other in prefixes if (other + follows).startswith(own)] == [own]


def test_the_longest_names_are_such_that_the_kernel_takes_them() -> None:
    longest = max(
        (Places(Path("/lab"), Path("/cache"), f"lab-{number}") for number in range(300)),
        key=lambda places: len(places.bridge),
    )

    assert longest.number >= 100
    assert len(longest.bridge) <= 15
    assert len(net.names(longest, "i-0123456789abcdef0", "10.98.200.254")[1]) <= 15
    assert len(f"{longest.chain_prefix}STALE") < 29
    assert len(longest.namespace_prefix) + len("i-0123456789abcdef0") <= 64


@pytest.mark.parametrize("name", ["", "Lab", "1st", "a/b", "a.b", "-a", "a" * 25])
def test_a_name_that_could_be_mistaken_is_refused(name: str, monkeypatch) -> None:
    monkeypatch.setenv("SPOTSWARM_LAB_NAME", name or " ")
    with pytest.raises(ValueError, match="is not a valid lab name"):
        Places.here()


def test_the_environment_names_the_lab_and_its_directory(monkeypatch) -> None:
    monkeypatch.setenv("SPOTSWARM_LAB_DIR", "/srv/labs")
    monkeypatch.setenv("SPOTSWARM_LAB_NAME", "blue")
    assert Places.here() == Places.here("blue")
    assert Places.here().lab == Path("/srv/labs-blue")
    assert Places.here("demo").lab == Path("/srv/labs")
    assert Places.here("green").environment()["SPOTSWARM_LAB_NAME"] == "green"


def test_a_machines_cable_has_a_name_the_kernel_takes() -> None:
    namespace, link = net.names(DEMO, "i-0123456789abcdef0", "10.98.0.133")

    assert link == "sswv-133"
    assert len(link) <= 15
    assert namespace == "ssw-i-0123456789abcdef0"


def test_a_hostname_is_the_one_ec2_gives() -> None:
    assert power.hostname("10.98.0.11") == "ip-10-98-0-11"


@pytest.mark.parametrize(
    ("address", "ours"),
    [("10.98.0.4", True), ("10.98.0.254", True), ("10.98.0.1", False), ("172.31.0.4", False)],
)
def test_only_addresses_of_the_network_are_given_to_machines(address: str, ours: bool) -> None:
    assert power.is_ours(DEMO, address) is ours


def test_every_zone_has_a_part_of_the_network_for_itself() -> None:
    blocks = account.blocks(DEMO.network)[: len(ZONES)]

    assert len({str(block) for block in blocks}) == 3
    assert all(block.subnet_of(DEMO.network) for block in blocks)
    assert IPv4Address("169.254.169.254") == METADATA
    assert next(DEMO.network.hosts()) == DEMO.gateway


def test_workers_are_allowed_nothing() -> None:
    assert account.policies("demo")["spotswarm-worker"] == []


def test_managers_reach_the_secrets_of_their_own_cluster_alone() -> None:
    statements = account.policies("blue")["spotswarm-manager"]
    parameters = [one["Resource"] for one in statements if "ssm:GetParameter" in one["Action"]]

    assert all("/spotswarm/blue/" in arn for arn in parameters[0])
    assert not any("operator" in arn for arn in parameters[0])


def test_cgroups_are_made_below_our_own_on_version_one() -> None:
    membership = "4:memory:/jobs/7\n2:cpu,cpuacct:/\n1:name=systemd:/jobs\n0::/\n"

    assert cgroups.parents(membership, unified=False) == [
        Path("/sys/fs/cgroup/memory/jobs/7"),
        Path("/sys/fs/cgroup/cpu,cpuacct"),
        Path("/sys/fs/cgroup/systemd/jobs"),
        Path("/sys/fs/cgroup/unified"),
    ]


def test_cgroups_are_made_at_the_root_on_version_two() -> None:
    assert cgroups.parents("0::/user.slice/x\n", unified=True) == [Path("/sys/fs/cgroup")]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record("i-1", "10.98.0.4", "ip-10-98-0-4", "worker", Stage.BOOTED, 77, ("/a", "/b"))

    record.write(tmp_path)

    assert read(tmp_path, "i-1") == record
    assert read_all(tmp_path) == [record]
    assert read(tmp_path, "i-2") is None


def test_no_process_is_taken_for_a_daemon_that_does_not_run(tmp_path: Path) -> None:
    assert sweep.daemon(Places(lab=tmp_path / "lab", cache=tmp_path / "cache")) is None
