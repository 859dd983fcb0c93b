"""What a stack file says that Docker refuses without a reason, ignores, or reads elsewhere.

Rule: nothing that a file says is dropped without a word. A remark does not stop the deployment.
"""

from collections.abc import Iterator
from typing import Any, Final

from cli.deploy.stackfile.references import Table, deploy_of, mapping_of, services_of

_IGNORED: Final = (
    *("build", "cgroup_parent", "cgroupns_mode", "container_name", "depends_on", "devices"),
    *("domainname", "expose", "external_links", "ipc", "links", "mac_address", "network_mode"),
    *("pid", "privileged", "restart", "security_opt", "shm_size", "userns_mode"),
)
"""Keys of a service that `docker stack deploy` accepts and does not use."""
_FORBIDDEN: Final = {
    "extends": "repeat the keys, or use an anchor",
    "volume_driver": "set the driver under the top-level volumes",
    "volumes_from": "use a volume of the top-level volumes in both services",
    "cpu_quota": "use deploy.resources.limits.cpus",
    "cpu_shares": "use deploy.resources",
    "cpuset": "use deploy.resources",
    "mem_limit": "use deploy.resources.limits.memory",
    "memswap_limit": "use deploy.resources.limits.memory",
}
_READERS: Final = ("traefik.", "spotswarm.")
"""The beginnings of labels that Traefik and the leader read from services."""
_OTHER_PROVIDERS: Final = "@"


def forbidden(document: Table) -> Iterator[str]:
    """Yield a sentence for every key that `docker stack deploy` refuses without naming it.

    A service without an image is one of them: Docker refuses it after it has made networks.
    """
    for name, service in services_of(document):
        for key, advice in _FORBIDDEN.items():
            if key in service:
                yield f"services.{name}.{key}: docker stack does not accept this key; {advice}"
        if not service.get("image"):
            yield f"service {name} has no image; docker stack cannot build one, so add image:"


def remarks(document: Table) -> Iterator[str]:
    """Yield a sentence for everything that has no effect where it is written."""
    for name, service in services_of(document):
        if ignored := [key for key in _IGNORED if service.get(key)]:
            yield f"{name}: docker stack deploy ignores {', '.join(ignored)}"
        labels, of_service = (
            mapping_of(table.get("labels")) for table in (service, deploy_of(service))
        )
        if any(label.lower().startswith(_READERS) for label in labels):
            yield (
                f"{name}: traefik.* and spotswarm.* labels under labels: are of the container;"
                " they count under deploy.labels"
            )
        else:
            labels = {}
        if _lacks_port(labels | of_service):
            yield (
                f"{name}: Traefik needs the label"
                " traefik.http.services.NAME.loadbalancer.server.port under deploy.labels"
            )


def _lacks_port(labels: Table) -> bool:
    """Return whether Traefik has a router for a service, but cannot know the service's port."""
    names = {label.lower(): value for label, value in labels.items()}
    if str(names.get("traefik.enable", "true")).lower() != "true":
        return False
    routers = {
        label.split(".")[3]
        for label in names
        if label.startswith("traefik.http.routers.") and label.count(".") > 3
    }
    has_port = any(
        label.startswith("traefik.http.services.") and label.endswith(".loadbalancer.server.port")
        for label in names
    )
    return not has_port and any(_uses_own_service(router, names) for router in routers)


def _uses_own_service(router: str, labels: dict[str, Any]) -> bool:
    service = str(labels.get(f"traefik.http.routers.{router}.service") or "")
    return _OTHER_PROVIDERS not in service
