"""The lab's image registry, which also acts as a mirror of Docker Hub for the lab's engines.

Rule: clients can pull from this registry, but cannot push to it. The lab writes images directly to
the directory that `lab.images.store` manages. `lab.sweep` stops the registry. An engine always
tries to pull a service's image, so every image that the lab deploys must be in this registry or in
the cluster's registry.
"""

import sys
import time
import urllib.error
import urllib.request
from typing import Any, Final

from aiohttp import web

from lab import servers, sweep
from lab.host import LabError
from lab.images.store import MANIFEST, Store
from lab.places import Places
from runtime import lifecycle, logs
from runtime.web import serving

_NAME: Final = "/v2/{name:(?:library/)?[^/]+}"
"""The path of an image; engines request `redis` from a mirror as `library/redis`."""


def application(store: Store) -> web.Application:
    """Return the registry's web application, which supports pulls but not pushes."""

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response({})

    async def manifest(request: web.Request) -> web.Response:
        name = request.match_info["name"].removeprefix("library/")
        digest = store.find(name, request.match_info["reference"])
        if digest is None:
            unknown = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such image"}]}
            return web.json_response(unknown, status=404)
        return web.Response(
            body=store.blob(digest).read_bytes(),
            content_type=MANIFEST,
            headers={"Docker-Content-Digest": digest},
        )

    async def blob(request: web.Request) -> web.StreamResponse:
        at = store.blob(request.match_info["digest"])
        return web.FileResponse(at) if at.exists() else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/v2/", hello)
    app.router.add_get(f"{_NAME}/manifests/{{reference}}", manifest)
    app.router.add_get(_NAME + r"/blobs/{digest:sha256:[0-9a-f]{64}}", blob)
    return app


def start(places: Places, *, within: float = 30) -> None:
    """Start the lab's registry if necessary, and wait until it responds.

    Raises:
        LabError: if the registry has not responded after `within` seconds.
    """
    servers.start(places, sweep.REGISTRY)
    deadline = time.monotonic() + within
    while not _answers(places):
        if time.monotonic() > deadline:
            raise LabError(f"the lab's registry does not respond; see {places.lab}/registry.log")
        time.sleep(0.05)


def _answers(places: Places) -> bool:
    try:
        with urllib.request.urlopen(f"http://{places.registry}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


async def _live() -> None:
    places = Places.here()
    host, port = places.registry.split(":")
    stopping = serving.Stopping(linger_seconds=0, finish_seconds=1)
    app: Any = application(Store(places))
    await serving.serve(app, host=host, port=int(port), stopping=stopping)


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="lab.images.registry"))
