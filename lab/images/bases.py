"""Builds substitutes for public images from Debian and npm packages.

Rule: a substitute has the same name as the original image, and supports the entry points, paths and
environment variables that our stacks use. The comments in `_BASES` describe how the programs
differ from those in the original images.
"""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from lab.cluster import REPOSITORY
from lab.images import application as images
from lab.images import debs, ground, tars
from lab.images.npm_trees import TREES
from lab.images.store import Store
from lab.machines import image
from lab.places import Places

_ENTRYPOINTS: Final = REPOSITORY / "lab/entrypoints"
_RECIPE: Final = ("bases", "debs", "npm_trees", "tars")
"""The modules that build a layer; a change to any of them changes the layer's key."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Base:
    """A substitute for a public image: what it adds to the Python image, and its configuration."""

    name: str
    tag: str
    config: Mapping[str, object]
    packages: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Path in the image → the name of the file in `lab/entrypoints`."""
    links: Mapping[str, str] = field(default_factory=dict)
    user: tuple[str, int] | None = None
    owned: Mapping[str, int] = field(default_factory=dict)
    """Directory → its owner's user id."""
    trees: tuple[str, ...] = ()
    """What comes from npm: `npm` itself, or the packages in `lab/couchdb`."""


def _volume(*names: str) -> dict[str, object]:
    return {name: {} for name in names}


_BASES: Final = (
    # Debian's Redis 7.0.
    _Base(
        "redis",
        "7",
        {
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["redis-server"],
            "WorkingDir": "/data",
            "Volumes": _volume("/data"),
            "ExposedPorts": _volume("6379/tcp"),
        },
        packages=("redis-server",),
        files={"usr/local/bin/docker-entrypoint.sh": "redis.sh"},
        user=("redis", 999),
        owned={"data": 999},
    ),
    # Debian's InfluxDB 1.6.7, which has the same HTTP interface as 1.8 but no Flux.
    _Base(
        "influxdb",
        "1.8",
        {
            "Entrypoint": ["/entrypoint.sh"],
            "Cmd": ["influxd"],
            "Volumes": _volume("/var/lib/influxdb"),
            "ExposedPorts": _volume("8086/tcp"),
        },
        packages=("influxdb", "influxdb-client", "curl"),
        files={"entrypoint.sh": "influxdb.sh", "etc/influxdb/influxdb.conf": "influxdb.conf"},
        owned={"var/lib/influxdb": 0},
    ),
    # pouchdb-server in place of CouchDB, with the same protocol.
    _Base(
        "couchdb",
        "3",
        {
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["/opt/couchdb/bin/couchdb"],
            "Volumes": _volume("/opt/couchdb/data"),
            "ExposedPorts": _volume("5984/tcp"),
        },
        packages=("nodejs", "curl"),
        files={
            "usr/local/bin/docker-entrypoint.sh": "couchdb.sh",
            "opt/couchdb/server.js": "couchdb.js",
        },
        links={"docker-entrypoint.sh": "usr/local/bin/docker-entrypoint.sh"},
        user=("couchdb", 5984),
        owned={"opt/couchdb/data": 5984, "opt/couchdb/etc/local.d": 5984},
        trees=("couchdb",),
    ),
    # Debian's registry 2.8.2.
    _Base(
        "registry",
        "2",
        {
            "Entrypoint": ["/entrypoint.sh"],
            "Cmd": ["/etc/docker/registry/config.yml"],
            "Volumes": _volume("/var/lib/registry"),
            "ExposedPorts": _volume("5000/tcp"),
        },
        packages=("docker-registry", "wget"),
        files={"entrypoint.sh": "registry.sh", "etc/docker/registry/config.yml": "registry.yml"},
        links={"usr/local/bin/registry": "/usr/bin/docker-registry"},
        owned={"var/lib/registry": 0},
    ),
    # Debian's Node 18, which is used only to fetch the assets for browsers.
    _Base("node", "20-slim", {"Cmd": ["node"]}, packages=("nodejs",), trees=("npm",)),
)


def names() -> list[str]:
    """Return the names of the images that this module defines, such as `redis:7`."""
    return [f"{base.name}:{base.tag}" for base in _BASES]


def provide(places: Places, *, report: Report = lambda _step: None) -> list[str]:
    """Add any missing base images to the lab's registry; return the names of all base images.

    Layers are cached for later labs, and are rebuilt only if their inputs change.
    """
    places.cache.mkdir(parents=True, exist_ok=True)
    with image.alone(places.cache):
        store = Store(places)
        ground_key = ground.key()
        keys = {base.name: _layer_key(base, ground_key) for base in _BASES}
        missing = [base for base in _BASES if store.layer_of(keys[base.name]) is None]
        with _work(places) as work, ThreadPoolExecutor(2) as pool:
            # Fetching from npm needs no base image, and is mostly waiting for the npm registry.
            wanted = {tree for base in missing for tree in base.trees}
            trees = {name: pool.submit(TREES[name].fetch, work / name) for name in sorted(wanted)}
            below = store.layer_of(ground_key)
            if below is None:
                report(
                    "building python:3.11-slim for the lab's engines (only once; takes a minute)"
                )
                below = ground.make(places, store, ground_key, work)
            if missing:
                report(f"building {', '.join(base.name for base in missing)} for the lab's engines")
                _make(store, missing, keys, below=below, trees=trees, work=work)
        references = [ground.tag(store, below)]
        for base in _BASES:
            layer = store.layer_of(keys[base.name])
            assert layer is not None
            config = {"Env": [ground.PATH], **base.config}
            references.append(store.tag(base.name, base.tag, layers=[below, layer], config=config))
        return [*references, images.traefik(places)]


def _make(
    store: Store,
    missing: Sequence[_Base],
    keys: Mapping[str, str],
    *,
    below: str,
    trees: Mapping[str, Future[Path]],
    work: Path,
) -> None:
    at = store.blob(below)
    archive = debs.Archive(
        work / "apt",
        status=tars.read(at, "var/lib/dpkg/status"),
        sources=tars.read(at, "etc/apt/sources.list"),
    )
    accounts = {name: tars.read(at, name).decode() for name in ("etc/passwd", "etc/group")}
    for base in missing:
        packages = archive.fetch(base.name, base.packages)
        fetched = {tree: trees[tree].result() for tree in base.trees}
        fill = _filling(base, packages, accounts, fetched)
        store.layer(keys[base.name], fill)


def _filling(
    base: _Base, packages: list[Path], accounts: Mapping[str, str], trees: Mapping[str, Path]
) -> Callable[[IO[bytes]], None]:
    def fill(into: tarfile.TarFile) -> None:
        for name, source in base.files.items():
            keep = tars.executable if source.endswith(".sh") else tars.rooted
            into.add(_ENTRYPOINTS / source, name, filter=keep)
        debs.unpack(packages, into, written={*base.files, *base.links, *base.owned, *accounts})
        for name, target in base.links.items():
            tars.link(into, name, target)
        for name, owner in base.owned.items():
            tars.directory(into, name, owner=owner)
        if base.user:
            name, number = base.user
            user = f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
            group = f"{name}:x:{number}:\n"
            passwd, groups = accounts["etc/passwd"] + user, accounts["etc/group"] + group
            tars.text(into, {"etc/passwd": passwd, "etc/group": groups})
        for tree, fetched in trees.items():
            TREES[tree].place(fetched, into)

    return tars.writing(fill)


def _layer_key(base: _Base, below: str) -> str:
    sources = [_ENTRYPOINTS / name for name in base.files.values()]
    sources += [REPOSITORY / "lab/images" / f"{module}.py" for module in _RECIPE]
    if "couchdb" in base.trees:
        sources.append(REPOSITORY / "lab/couchdb/package-lock.json")
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sources]
    return images.key(f"base-{base.name}", below, *contents)


@contextmanager
def _work(places: Places) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=places.building_prefix, dir=places.cache))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
