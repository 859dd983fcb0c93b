"""Reads from a service's mounts whether two of its tasks can have the same data at the same time.

Rule: a volume counts as shared only if it is known to be shared. A task that is started first
elsewhere could otherwise not attach the volume, or take it away from the task that still runs.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Json = Mapping[str, Any]

_NETWORKED: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "efs", "ceph", "glusterfs", "fuse.glusterfs", "lustre"}
)
"""Filesystem types that the `local` volume driver mounts over the network."""
_SHARED_DRIVERS: Final = frozenset(
    {
        *("efs", "nfs", "nfs4", "cifs", "smb", "azurefile", "s3fs", "sshfs", "davfs"),
        *("gluster", "glusterfs", "cephfs", "lustre", "juicefs", "lizardfs", "moosefs"),
    }
)
"""Words in the names of volume drivers whose volumes any number of nodes can have."""
_LOCAL: Final = frozenset({"", "local"})
_GROUP: Final = "group:"


def has_cluster_volumes(services: Iterable[Json]) -> bool:
    """Return whether a service mounts a cluster volume (CSI), whose access mode must be read."""
    return any(mount.get("Type") == "cluster" for raw in services for mount in _mounts(raw))


def is_on_one_machine(mount: Json) -> bool:
    """Return whether a mount's data is on the machine where the task runs."""
    if mount.get("Type") == "bind":
        return not mount.get("ReadOnly", False)
    if mount.get("Type") != "volume" or _driver(mount)[0] not in _LOCAL:
        return False
    return not _is_networked(_driver(mount)[1])


def is_for_one_node(mount: Json, cluster_volumes: Iterable[Json] = ()) -> bool:
    """Return whether only one node or task may have the mount's volume at the same time.

    `cluster_volumes` are the objects that the engine lists as volumes.
    """
    if mount.get("Type") == "cluster":
        return not _is_shared_in_cluster(mount, cluster_volumes)
    if mount.get("Type") != "volume":
        return False
    name, options = _driver(mount)
    if name in _LOCAL or _is_networked(options) or options.get("backing") == "shared":
        return False
    return _SHARED_DRIVERS.isdisjoint(re.split(r"[^a-z0-9]+", name))


def plugin_of(mount: Json) -> str:
    """Return the volume plugin that a node needs for the mount, or an empty string."""
    name = _driver(mount)[0] if mount.get("Type") == "volume" else ""
    return "" if name in _LOCAL else str(mount["VolumeOptions"]["DriverConfig"]["Name"])


def plugins_on(description: Json) -> frozenset[str] | None:
    """Return the volume drivers in a node's `Description`, or None if it does not name any."""
    plugins = (description.get("Engine") or {}).get("Plugins")
    if plugins is None:
        return None
    names = {str(each.get("Name", "")) for each in plugins if each.get("Type") == "Volume"}
    # Swarm takes a plugin without a tag for the latest.
    return frozenset(names | {name.removesuffix(":latest") for name in names})


def _mounts(raw: Json) -> Iterable[Json]:
    container = raw["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    mounts: Iterable[Json] = container.get("Mounts") or ()
    return mounts


def _driver(mount: Json) -> tuple[str, Json]:
    """Return the volume driver's name, in lower case, and its options."""
    driver = (mount.get("VolumeOptions") or {}).get("DriverConfig") or {}
    return str(driver.get("Name") or "").lower(), driver.get("Options") or {}


def _is_networked(options: Json) -> bool:
    return str(options.get("type") or "").lower() in _NETWORKED


def _is_shared_in_cluster(mount: Json, listed: Iterable[Json]) -> bool:
    """Return whether every cluster volume that the mount could get may be used by several tasks."""
    source = str(mount.get("Source") or "")
    specs = [
        volume["ClusterVolume"].get("Spec") or {}
        for volume in listed
        if volume.get("ClusterVolume")
        and (
            volume["ClusterVolume"].get("Spec", {}).get("Group") == source.removeprefix(_GROUP)
            if source.startswith(_GROUP)
            else volume.get("Name") == source
        )
    ]
    return bool(specs) and all(_is_shared_mode(spec, mount) for spec in specs)


def _is_shared_mode(spec: Json, mount: Json) -> bool:
    """Return whether two tasks on two nodes can use a volume of this spec, as swarmkit decides."""
    mode = spec.get("AccessMode") or {}
    if mode.get("Scope") != "multi":
        return False
    shared = {"all", "readonly", "onewriter"} if mount.get("ReadOnly") else {"all"}
    return mode.get("Sharing") in shared
