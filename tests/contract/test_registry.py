"""The lab's registry, by an engine that pulls from it, and saves what it takes back."""

import asyncio
import subprocess

import aiohttp
import pytest
from aiohttp import web
from ports import free_port
from programs import needs

from lab.images import registry
from lab.images.store import Store
from lab.places import Places

CONFIG = {"Cmd": ["/bin/busybox", "echo", "it runs"], "Env": ["PATH=/"]}


@pytest.fixture
def store(tmp_path):
    return Store(Places(lab=tmp_path / "lab", cache=tmp_path / "cache"))


@pytest.fixture
async def served(store):
    """Where the registry is; an engine takes a loopback address without TLS."""
    runner = web.AppRunner(registry.application(store), access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
def image(store, busybox):
    layer = store.layer("tiny", lambda out: out.write(busybox))
    store.tag("tiny", "1", layers=[layer], config=CONFIG)
    return layer


async def docker(engine, *words):
    return await asyncio.to_thread(engine.docker, *words)


async def test_an_image_is_pulled_and_runs(served, image, host_engine):
    name = f"{served}/tiny:1"
    await docker(host_engine, "pull", "--quiet", name)
    said = await docker(host_engine, "run", "--rm", "--network=none", name)
    assert said == "it runs"


async def test_a_mirror_is_asked_for_an_official_image_below_library(served, image, host_engine):
    await docker(host_engine, "pull", "--quiet", f"{served}/library/tiny:1")


async def test_an_image_that_was_saved_and_taken_over_is_the_same_image(
    served, image, store, host_engine, tmp_path
):
    name = f"{served}/tiny:1"
    await docker(host_engine, "pull", "--quiet", name)
    file = tmp_path / "saved.tar"
    await docker(host_engine, "save", "--output", str(file), name)
    with file.open("rb") as saved:
        store.adopt("kept", "last", saved)
    before = await docker(host_engine, "image", "inspect", "--format={{.Id}}", name)
    assert store.config_of("kept", "last") == before
    await docker(host_engine, "image", "rm", name)
    kept = f"{served}/kept:last"
    await docker(host_engine, "pull", "--quiet", kept)
    assert await docker(host_engine, "image", "inspect", "--format={{.Id}}", kept) == before


async def test_an_image_that_is_not_there_is_said_not_to_be(served, host_engine):
    command = [needs("docker"), "-H", host_engine.url, "pull", f"{served}/none:1"]
    tried = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert tried.returncode != 0
    assert "not found" in tried.stderr or "unknown" in tried.stderr


async def test_nobody_can_put_anything_in(served, image):
    async with aiohttp.ClientSession(f"http://{served}") as session:
        for method, path in (
            ("POST", "/v2/tiny/blobs/uploads/"),
            ("PUT", "/v2/tiny/manifests/1"),
            ("DELETE", "/v2/tiny/manifests/1"),
        ):
            async with session.request(method, path) as answer:
                assert answer.status in {404, 405}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/tiny/manifests/..%2F..%2Fblobs",
        "/v2/..%2Ftags%2Ftiny/manifests/1",
        "/v2/a/b/manifests/1",
    ],
)
async def test_a_name_leads_nowhere_outside(served, image, path):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{served}{path}") as answer,
    ):
        assert answer.status == 404
