"""A registry the lab's engines can pull from: a directory of blobs, and a process that serves it.

Rule: it is read-only over the network. Images are put straight into the directory, which is a
cache and outlives the lab; the process is the lab's, and `lab.sweep` ends it. Engines always try to
pull what a service names, so whatever the lab deploys has to be here.
"""

import hashlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from aiohttp import web

from lab import sweep
from lab.cluster import REPOSITORY
from lab.host import LabError
from lab.places import GATEWAY, Places
from runtime import lifecycle, logs, serving

PORT: Final = 5000
ADDRESS: Final = f"{GATEWAY}:{PORT}"
"""What names of images begin with; machines take it without TLS (`lab.layer`)."""
_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
"""Not compressed: the wires are the host's memory, and its two cores have better things to do."""
_SAFE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._-]*")
_KEPT_LAYERS: Final = 6


class Store:
    """The directory of images; whoever writes holds no lock, for nothing in it ever changes."""

    def __init__(self, places: Places) -> None:
        self.root = places.cache / "images"
        for part in ("blobs", "layers", "tags"):
            (self.root / part).mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self.root / "blobs" / digest.removeprefix("sha256:")

    def layer(self, key: str, fill: Callable[[IO[bytes]], None]) -> str:
        """The digest of the layer with this key, which `fill` writes as a tar if it is new."""
        index = self.root / "layers" / key
        if index.exists():
            digest = index.read_text(encoding="ascii")
            if self.blob(digest).exists():
                index.touch()
                return digest
        draft = self.root / f"{key}.new"
        with draft.open("wb") as out:
            fill(out)
        with draft.open("rb") as whole:
            digest = "sha256:" + hashlib.file_digest(whole, "sha256").hexdigest()
        draft.rename(self.blob(digest))
        index.write_text(digest, encoding="ascii")
        self._prune()
        return digest

    def tag(
        self, name: str, tag: str, *, layers: Sequence[str], config: Mapping[str, object]
    ) -> str:
        """Make `name:tag` of layers and a container's config; returns what a service names."""
        image = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": list(layers)},
            "history": [{"created_by": "lab"} for _ in layers],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._described(_CONFIG, self._put(image)),
            "layers": [self._described(_LAYER, layer) for layer in layers],
        }
        at = self.root / "tags" / name / tag
        at.parent.mkdir(exist_ok=True)
        at.write_text(self._put(manifest), encoding="ascii")
        return f"{ADDRESS}/{name}:{tag}"

    def find(self, name: str, reference: str) -> str | None:
        """The digest of a manifest by tag or digest; None when there is no such image."""
        if reference.startswith("sha256:"):
            return reference if self.blob(reference).exists() else None
        if not (_SAFE.fullmatch(name) and _SAFE.fullmatch(reference)):
            return None
        at = self.root / "tags" / name / reference
        return at.read_text(encoding="ascii") if at.exists() else None

    def _put(self, value: object) -> str:
        body = json.dumps(value, sort_keys=True).encode()
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.blob(digest).write_bytes(body)
        return digest

    def _described(self, media: str, digest: str) -> dict[str, object]:
        return {"mediaType": media, "digest": digest, "size": self.blob(digest).stat().st_size}

    def _prune(self) -> None:
        aged = sorted((self.root / "layers").iterdir(), key=lambda at: -at.stat().st_mtime)
        # Two keys may have come to the same contents.
        kept = {at.read_text(encoding="ascii") for at in aged[:_KEPT_LAYERS]}
        for old in aged[_KEPT_LAYERS:]:
            digest = old.read_text(encoding="ascii")
            if digest not in kept:
                self.blob(digest).unlink(missing_ok=True)
            old.unlink()


def application(store: Store) -> web.Application:
    """What a pull asks for, and nothing else."""

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response({})

    async def manifest(request: web.Request) -> web.Response:
        digest = store.find(request.match_info["name"], request.match_info["reference"])
        if digest is None:
            unknown = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such image"}]}
            return web.json_response(unknown, status=404)
        return web.Response(
            body=store.blob(digest).read_bytes(),
            content_type=_MANIFEST,
            headers={"Docker-Content-Digest": digest},
        )

    async def blob(request: web.Request) -> web.StreamResponse:
        at = store.blob(request.match_info["digest"])
        return web.FileResponse(at) if at.exists() else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/v2/", hello)
    app.router.add_get("/v2/{name}/manifests/{reference}", manifest)
    app.router.add_get(r"/v2/{name}/blobs/{digest:sha256:[0-9a-f]{64}}", blob)
    return app


def start(places: Places, *, within: float = 10) -> None:
    """Make sure that the registry of the lab that is up serves.

    Raises:
        LabError: it did not come up.
    """
    if sweep.process(places, sweep.REGISTRY) is None:
        script = 'exec </dev/null >>"$1" 2>&1; shift; "$@" & exit 0'
        log = places.lab / "registry.log"
        argv = [sys.executable, "-m", sweep.REGISTRY, str(places.lab)]
        subprocess.run(
            ["sh", "-c", script, "sh", str(log), *argv],
            check=True,
            cwd=REPOSITORY,
            start_new_session=True,
        )
    deadline = time.monotonic() + within
    while not _answers():
        if time.monotonic() > deadline:
            raise LabError(f"the lab's registry does not answer, see {places.lab}/registry.log")
        time.sleep(0.05)


def _answers() -> bool:
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


async def _live() -> None:
    stopping = serving.Stopping(linger_seconds=0, finish_seconds=1)
    app: Any = application(Store(Places.here()))
    await serving.serve(app, host=str(GATEWAY), port=PORT, stopping=stopping)


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="lab.registry"))
