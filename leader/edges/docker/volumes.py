"""Reads from a service's mounts whether two of its tasks can have the same data at the same time.

Rule: a volume counts as shared only if it is known to be shared. A task that is started first
elsewhere could otherwise not attach the volume, or take it away from the task that still runs. A
mount that cannot be read raises `StrangeRow`; a volume that cannot be read does not count.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from leader.edges.docker.fields import table, text

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
    kind = text(mount, "Type")
    if kind == "bind":
        return mount.get("ReadOnly") is not True
    if kind != "volume" or _driver(mount)[0] not in _LOCAL:
        return False
    return not _is_networked(_driver(mount)[1])


def is_for_one_node(mount: Json, cluster_volumes: Iterable[Json] = ()) -> bool:
    """Return whether only one node or task may have the mount's volume at the same time.

    `cluster_volumes` are the objects that the engine lists as volumes.
    """
    kind = text(mount, "Type")
    if kind == "cluster":
        return not _is_shared_in_cluster(mount, cluster_volumes)
    if kind != "volume":
        return False
    name, options = _driver(mount)
    if name in _LOCAL or _is_networked(options) or text(options, "backing") == "shared":
        return False
    return _SHARED_DRIVERS.isdisjoint(re.split(r"[^a-z0-9]+", name))


def plugin_of(mount: Json) -> str:
    """Return the volume plugin that a node needs for the mount, or an empty string."""
    name = text(table(table(mount, "VolumeOptions"), "DriverConfig"), "Name")
    return "" if text(mount, "Type") != "volume" or name.lower() in _LOCAL else name


def plugins_on(description: Json) -> frozenset[str] | None:
    """Return the volume drivers in a node's `Description`, or None if it does not name any."""
    plugins = _table(description.get("Engine")).get("Plugins")
    if not isinstance(plugins, list):
        return None
    tables = map(_table, plugins)
    names = {str(each.get("Name", "")) for each in tables if each.get("Type") == "Volume"}
    # Swarm takes a plugin without a tag for the latest.
    return frozenset(names | {name.removesuffix(":latest") for name in names})


def _mounts(raw: object) -> Iterator[Json]:
    """Yield a service's mounts; a service that cannot be read has none."""
    template = _table(_table(_table(raw).get("Spec")).get("TaskTemplate"))
    listed = _table(template.get("ContainerSpec")).get("Mounts")
    if isinstance(listed, list):
        yield from map(_table, listed)


def _table(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _driver(mount: Json) -> tuple[str, Json]:
    """Return the volume driver's name, in lower case, and its options."""
    driver = table(table(mount, "VolumeOptions"), "DriverConfig")
    return text(driver, "Name").lower(), table(driver, "Options")


def _is_networked(options: Json) -> bool:
    return text(options, "type").lower() in _NETWORKED


def _is_shared_in_cluster(mount: Json, listed: Iterable[Json]) -> bool:
    """Return whether every cluster volume that the mount could get may be used by several tasks."""
    source = text(mount, "Source")
    candidates = []
    for volume in map(_table, listed):
        spec = _table(_table(volume.get("ClusterVolume")).get("Spec"))
        group = source.removeprefix(_GROUP) if source.startswith(_GROUP) else None
        if spec and (volume.get("Name") == source if group is None else spec.get("Group") == group):
            candidates.append(spec)
    return bool(candidates) and all(_is_shared_mode(spec, mount) for spec in candidates)


def _is_shared_mode(spec: Json, mount: Json) -> bool:
    """Return whether two tasks on two nodes can use a volume of this spec, as swarmkit decides."""
    mode = _table(spec.get("AccessMode"))
    is_read_only = mount.get("ReadOnly") is True
    shared = ("all", "readonly", "onewriter") if is_read_only else ("all",)
    return mode.get("Scope") == "multi" and mode.get("Sharing") in shared
