"""Saves our services' images for later labs; a hash of the inputs identifies each set of images.

Rule: the hash covers all source files, base images and build steps. Reusing images with the same
hash is therefore equivalent to building new images.
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.images import bases, ground
from lab.images.engine import Engine
from lab.images.store import Store

PARALLEL: Final = 3
"""How many pulls or pushes run at the same time."""


def key(store: Store, tag: str, *recipe: Path) -> str:
    """Return a hash of the tag, the base images and the modules in `recipe`.

    The tag must identify the version of the source files.
    """
    bases_now = [store.find(*base.split(":")) for base in (ground.NAME, *bases.names())]
    total = hashlib.sha256(json.dumps([tag, bases_now]).encode())
    for module in recipe:
        total.update(module.read_bytes())
    return total.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """Our services' images, saved in the lab's store under one key."""

    on: Engine
    store: Store
    registry: str
    key: str

    def has(self, images: Mapping[str, str]) -> bool:
        """Return whether the store has all of these images."""
        return all(self.store.find(f"built-{name}", self.key) for name in images)

    def get(self, images: Mapping[str, str]) -> None:
        """Pull the images into the engine, and tag them as a build would."""

        def pull(name: str) -> None:
            source = f"{self.registry}/built-{name}:{self.key}"
            self.on.run("pull", "--quiet", source, timeout=300)
            self.on.run("tag", source, images[name])

        first, *others = images
        # The first pull also fetches the layers that all images share.
        pull(first)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(pull, others))

    def put(self, images: Mapping[str, str]) -> None:
        """Copy the images from the engine to the store."""
        names = {image: f"built-{name}" for name, image in images.items()}
        self.on.save(list(names), lambda saved: self.store.adopt_all(names, self.key, saved))
