import hashlib
import io
import json
import tarfile

import pytest

from lab.images.store import Store
from lab.places import Places


@pytest.fixture
def store(tmp_path):
    return Store(Places(lab=tmp_path / "lab", cache=tmp_path / "cache"))


def writes(body):
    return lambda out: out.write(body)


def digest_of(body):
    return "sha256:" + hashlib.sha256(body).hexdigest()


def saved(layers, config, links=()):
    """What `docker save` writes of one image; a layer in `links` is a link to another's file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:

        def put(name, body):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))

        names = []
        for number, body in enumerate(layers):
            names.append(f"l{number}/layer.tar")
            put(names[-1], body)
        for number, target in enumerate(links):
            names.append(f"again{number}/layer.tar")
            member = tarfile.TarInfo(names[-1])
            member.type, member.linkname = tarfile.SYMTYPE, f"../{target}/layer.tar"
            tar.addfile(member)
        put("config.json", config)
        manifest = [{"Config": "config.json", "RepoTags": None, "Layers": names}]
        put("manifest.json", json.dumps(manifest).encode())
    out.seek(0)
    return out


def manifest_of(store, name, tag):
    return json.loads(store.blob(store.find(name, tag)).read_bytes())


def test_a_layer_is_made_once_for_its_key(store):
    made = store.layer("key", writes(b"one"))
    assert store.layer("key", writes(b"two")) == made == digest_of(b"one")
    assert store.blob(made).read_bytes() == b"one"


def test_a_layer_that_could_not_be_written_leaves_nothing(store):
    def fails(out):
        out.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.layer("key", fails)
    assert store.layer_of("key") is None
    assert not list((store.root / "blobs").iterdir())
    assert not list(store.root.glob("draft-*"))


def test_a_tag_names_the_image_for_a_service(store):
    layer = store.layer("key", writes(b"one"))
    assert store.tag("redis", "7", layers=[layer], config={}) == "10.98.0.1:5000/redis:7"
    told = manifest_of(store, "redis", "7")
    assert [one["digest"] for one in told["layers"]] == [layer]
    assert told["layers"][0]["size"] == 3


def test_a_tag_means_what_it_was_given_last(store):
    first = store.layer("first", writes(b"one"))
    second = store.layer("second", writes(b"two"))
    store.tag("redis", "7", layers=[first], config={})
    store.tag("redis", "7", layers=[second], config={})
    assert manifest_of(store, "redis", "7")["layers"][0]["digest"] == second


def test_an_image_with_a_layer_missing_is_not_there(store):
    layer = store.layer("key", writes(b"one"))
    store.tag("redis", "7", layers=[layer], config={})
    store.blob(layer).unlink()
    assert store.find("redis", "7") is None
    assert store.config_of("redis", "7") is None
    assert store.layer_of("key") is None


@pytest.mark.parametrize("name", ["..", "a/b", "Redis", "", "redis/../x"])
def test_a_name_that_leaves_the_directory_is_no_image(store, name):
    assert store.find(name, "7") is None


def test_a_saved_image_keeps_its_config_so_that_its_id_stays(store):
    config = b'{"rootfs": {}, "history": [1]}'
    store.adopt("stage", "last", saved([b"one", b"two"], config))
    assert store.config_of("stage", "last") == digest_of(config)
    told = manifest_of(store, "stage", "last")
    assert [one["digest"] for one in told["layers"]] == [digest_of(b"one"), digest_of(b"two")]
    assert store.blob(digest_of(config)).read_bytes() == config


def test_a_layer_that_is_twice_in_a_saved_image_is_taken_twice(store):
    store.adopt("stage", "last", saved([b"one"], b"{}", links=["l0"]))
    told = manifest_of(store, "stage", "last")
    assert [one["digest"] for one in told["layers"]] == [digest_of(b"one")] * 2


def test_a_saved_image_does_not_reach_outside_of_the_store(store, tmp_path):
    (tmp_path / "secret").write_text("mine")
    with pytest.raises(tarfile.FilterError):
        store.adopt("stage", "last", saved([b"one"], b"{}", links=["../../../../secret"]))
    assert store.find("stage", "last") is None


def test_old_layers_are_forgotten_and_new_ones_kept(store):
    made = [store.layer(f"key-{number}", writes(b"%d" % number)) for number in range(110)]
    assert store.layer_of("key-109") == made[109]
    assert len(list((store.root / "blobs").iterdir())) <= 97
