"""Whether a mount's data can be on two nodes at once; the mounts are as Docker's API has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader.edges.docker.resources import generic_resources
from leader.edges.docker.volumes import (
    has_cluster_volumes,
    is_for_one_node,
    is_on_one_machine,
    plugin_of,
    plugins_on,
)


def volume(name=None, **options):
    driver = {"Name": name, "Options": options} if name or options else None
    return {
        "Type": "volume",
        "Source": "d",
        "Target": "/d",
        "VolumeOptions": {"DriverConfig": driver},
    }


def cluster_volume(scope, sharing, *, name="d", group=""):
    mode = {"Scope": scope, "Sharing": sharing, "MountVolume": {}}
    return {"Name": name, "ClusterVolume": {"Spec": {"Group": group, "AccessMode": mode}}}


CLUSTER = {"Type": "cluster", "Source": "d", "Target": "/d"}


@pytest.mark.parametrize(
    "mount",
    [
        volume("rexray/ebs"),
        volume("rexray/ebs:latest"),
        volume("cloudstor:aws"),
        volume("cloudstor:aws", backing="relocatable"),
        volume("pxd"),
        volume("hetznercloud/volume"),
        volume("efsomething"),
        CLUSTER,
    ],
)
def test_a_volume_that_is_not_known_to_be_shared_is_for_one_node(mount):
    assert is_for_one_node(mount)
    assert not is_on_one_machine(mount)


@pytest.mark.parametrize(
    "mount",
    [
        volume("rexray/efs"),
        volume("rexray/efs:0.11"),
        volume("registry.local:5000/tools/efs"),
        volume("vieux/sshfs"),
        volume("trajano/nfs-volume-plugin"),
        volume("cloudstor:aws", backing="shared"),
        volume("NFS"),
        volume("local", type="nfs", o="addr=10.0.0.1"),
        volume(None, type="nfs4"),
        volume("anything", type="NFS"),
        {"Type": "tmpfs", "Target": "/t"},
        {"Type": "bind", "Source": "/etc", "Target": "/c", "ReadOnly": True},
    ],
)
def test_a_shared_volume_is_neither_for_one_node_nor_on_one_machine(mount):
    assert not is_for_one_node(mount)
    assert not is_on_one_machine(mount)


@pytest.mark.parametrize(
    "mount",
    [
        volume(),
        volume("local"),
        volume("local", type="tmpfs"),
        {"Type": "volume", "Target": "/d"},
        {"Type": "bind", "Source": "/data", "Target": "/d"},
    ],
)
def test_what_the_local_driver_keeps_is_on_one_machine(mount):
    assert is_on_one_machine(mount)


@pytest.mark.parametrize(
    ("listed", "is_read_only", "is_shared"),
    [
        ([cluster_volume("multi", "all")], False, True),
        ([cluster_volume("multi", "none")], False, False),
        ([cluster_volume("multi", "onewriter")], False, False),
        ([cluster_volume("multi", "onewriter")], True, True),
        ([cluster_volume("multi", "readonly")], True, True),
        ([cluster_volume("single", "all")], False, False),
        ([cluster_volume("multi", "all", name="another")], False, False),
        ([{"Name": "d", "Driver": "local"}], False, False),
        ([], False, False),
    ],
)
def test_a_cluster_volume_is_shared_if_its_access_mode_lets_two_tasks_have_it(
    listed, is_read_only, is_shared
):
    assert is_for_one_node(CLUSTER | {"ReadOnly": is_read_only}, listed) is not is_shared


def test_a_group_of_cluster_volumes_is_shared_if_each_of_them_is():
    mount = CLUSTER | {"Source": "group:g"}
    shared = cluster_volume("multi", "all", name="a", group="g")
    single = cluster_volume("single", "none", name="b", group="g")

    assert not is_for_one_node(mount, [shared, cluster_volume("single", "none", name="c")])
    assert is_for_one_node(mount, [shared, single])


def test_only_services_with_cluster_volumes_need_the_list_of_volumes():
    def service(*mounts):
        return {"Spec": {"TaskTemplate": {"ContainerSpec": {"Mounts": list(mounts)}}}}

    assert has_cluster_volumes([service(volume()), service(CLUSTER)])
    assert not has_cluster_volumes([service(volume()), {"Spec": {"TaskTemplate": {}}}])


def test_a_plugin_is_needed_for_all_drivers_but_the_local_one():
    assert plugin_of(volume("Rexray/EBS")) == "Rexray/EBS"
    assert plugin_of(volume("local")) == plugin_of(volume()) == plugin_of(CLUSTER) == ""


def test_a_nodes_plugins_are_known_with_and_without_the_tag_latest():
    listed = [{"Type": "Volume", "Name": "rexray/ebs:latest"}, {"Type": "Network", "Name": "x"}]

    assert plugins_on({"Engine": {"Plugins": listed}}) == {"rexray/ebs:latest", "rexray/ebs"}
    assert plugins_on({}) is None


@given(st.integers(0, 5), st.integers(0, 5))
def test_generic_resources_are_counted_by_kind(discrete, named):
    listed = [
        {"DiscreteResourceSpec": {"Kind": "gpu", "Value": discrete}},
        *({"NamedResourceSpec": {"Kind": "fpga", "Value": f"U-{n}"}} for n in range(named)),
    ]

    counts = generic_resources({"GenericResources": listed})

    assert counts["gpu"] == discrete
    assert counts.get("fpga", 0) == named
    assert generic_resources({"GenericResources": None}) == generic_resources(None) == {}


@pytest.mark.parametrize("strange", [None, 7, "x", [], {}, {"Spec": None}, {"Spec": {"Mounts": 1}}])
def test_a_strange_row_has_no_cluster_volumes_and_is_no_volume(strange):
    assert not has_cluster_volumes([strange])
    assert is_for_one_node(CLUSTER, [strange, {"ClusterVolume": strange}])
    assert plugins_on({"Engine": strange}) is None
