"""Stores images in a directory: blobs, tags, and an index that maps layer keys to layers.

Rule: the directory is a cache that outlives the lab. Each blob is written to a temporary file,
which gets its final name when the blob is complete. Tags can change, but blobs never do. The store
therefore needs no lock, and readers never see a partial blob.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from lab.places import Places

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
"""Layers are not compressed, because transfers stay on this host and compression takes time."""
_SAFE: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._-]*")
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_KEPT_LAYERS: Final = 96


class Store:
    """The image directory, which all labs on a host share."""

    def __init__(self, places: Places) -> None:
        self.root = places.cache / "images"
        self._registry = places.registry
        for part in ("blobs", "layers", "tags"):
            (self.root / part).mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Return a blob's path, whether or not the blob exists."""
        return self.root / "blobs" / digest.removeprefix("sha256:")

    def layer_of(self, key: str) -> str | None:
        """Return the digest of the layer with this key, or None if there is no such layer yet."""
        index = self.root / "layers" / key
        if index.exists():
            digest = index.read_text(encoding="ascii")
            if self.blob(digest).exists():
                index.touch()
                return digest
        return None

    def layer(self, key: str, fill: Callable[[IO[bytes]], None]) -> str:
        """Return the digest of the layer with this key; create the layer if necessary.

        The function `fill` writes the new layer as a tar file.
        """
        digest = self.layer_of(key)
        if digest is None:
            digest = self._write(fill)
            self._name(key, digest)
            self._prune()
        return digest

    def tag(
        self, name: str, tag: str, *, layers: Sequence[str], config: Mapping[str, object]
    ) -> str:
        """Create the image `name:tag` from layers and a config; return its name in the registry."""
        machine = platform.machine()
        image = {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": list(layers)},
            "history": [{"created_by": "lab"} for _ in layers],
        }
        return self._tag(name, tag, config=self._put(image), layers=layers)

    def adopt(self, name: str, tag: str, saved: IO[bytes]) -> str:
        """Store the image from the output of `docker save`; return its name in the registry."""
        ((_, config, layers),) = self._extract(saved)
        return self._tag(name, tag, config=config, layers=layers)

    def adopt_all(self, names: Mapping[str, str], tag: str, saved: IO[bytes]) -> None:
        """Store all images from the output of `docker save`; `names` maps old names to new ones."""
        for saved_as, config, layers in self._extract(saved):
            for reference in saved_as:
                self._tag(names[reference], tag, config=config, layers=layers)

    def _extract(self, saved: IO[bytes]) -> list[tuple[list[str], str, list[str]]]:
        """Extract the saved images; return each image's names, config digest and layer digests."""
        with tempfile.TemporaryDirectory(dir=self.root) as scratch:
            # Layers that several images share are links in the tar, which a stream cannot follow.
            with tarfile.open(fileobj=saved, mode="r|") as tar:
                tar.extractall(scratch, filter="data")
            at = Path(scratch)
            images = json.loads((at / "manifest.json").read_bytes())
            files = {file for image in images for file in (*image["Layers"], image["Config"])}
            paths = {file: (at / file).resolve() for file in files}
            taken = {path: self._take(path) for path in set(paths.values())}
        digests = {file: taken[path] for file, path in paths.items()}
        for layer in {digests[file] for image in images for file in image["Layers"]}:
            self._name(f"adopted-{layer.removeprefix('sha256:')}", layer)
        self._prune()
        return [
            (
                image["RepoTags"] or [],
                digests[image["Config"]],
                [digests[layer] for layer in image["Layers"]],
            )
            for image in images
        ]

    def find(self, name: str, reference: str) -> str | None:
        """Return the digest of an image's manifest, or None if the image is missing or incomplete.

        `reference` is a tag or a digest.
        """
        if reference.startswith("sha256:"):
            return reference if self.blob(reference).exists() else None
        if not (_SAFE.fullmatch(name) and _SAFE.fullmatch(reference)):
            return None
        at = self.root / "tags" / name / reference
        if not at.exists():
            return None
        digest = at.read_text(encoding="ascii")
        return digest if self._is_whole(digest) else None

    def config_of(self, name: str, tag: str) -> str | None:
        """Return an image's id (the digest of its config), or None if there is no such image."""
        digest = self.find(name, tag)
        if digest is None:
            return None
        return str(json.loads(self.blob(digest).read_bytes())["config"]["digest"])

    def _tag(self, name: str, tag: str, *, config: str, layers: Sequence[str]) -> str:
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._described(_CONFIG, config),
            "layers": [self._described(_LAYER, layer) for layer in layers],
        }
        at = self.root / "tags" / name / tag
        at.parent.mkdir(exist_ok=True)
        draft = at.with_name(f".{tag}.{os.getpid()}")
        draft.write_text(self._put(manifest), encoding="ascii")
        draft.rename(at)
        return f"{self._registry}/{name}:{tag}"

    def _put(self, value: object) -> str:
        body = json.dumps(value, sort_keys=True).encode()
        return self._write(lambda out: out.write(body))

    def _write(self, fill: Callable[[IO[bytes]], object]) -> str:
        handle, draft = tempfile.mkstemp(dir=self.root, prefix="draft-")
        try:
            with os.fdopen(handle, "wb") as out:
                fill(out)
            return self._take(Path(draft))
        finally:
            Path(draft).unlink(missing_ok=True)

    def _take(self, file: Path) -> str:
        """Add a file as a blob; return the blob's digest.

        The file must be complete, and must be on the same file system as the store.
        """
        with file.open("rb") as whole:
            digest = "sha256:" + hashlib.file_digest(whole, "sha256").hexdigest()
        with contextlib.suppress(FileExistsError):
            self.blob(digest).hardlink_to(file)
        return digest

    def _described(self, media: str, digest: str) -> dict[str, object]:
        return {"mediaType": media, "digest": digest, "size": self.blob(digest).stat().st_size}

    def _is_whole(self, manifest: str) -> bool:
        if not self.blob(manifest).exists():
            return False
        content: dict[str, Any] = json.loads(self.blob(manifest).read_bytes())
        parts = [content["config"], *content["layers"]]
        return all(self.blob(part["digest"]).exists() for part in parts)

    def _name(self, key: str, digest: str) -> None:
        (self.root / "layers" / key).write_text(digest, encoding="ascii")

    def _prune(self) -> None:
        aged = sorted((self.root / "layers").iterdir(), key=lambda at: -at.stat().st_mtime)
        # Two keys may refer to the same blob.
        in_use = {at.read_text(encoding="ascii") for at in aged[:_KEPT_LAYERS]}
        for old in aged[_KEPT_LAYERS:]:
            digest = old.read_text(encoding="ascii")
            if digest not in in_use:
                self.blob(digest).unlink(missing_ok=True)
            old.unlink()
