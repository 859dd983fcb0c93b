"""Finished images of ours that later labs reuse, by the hash of their inputs.

Rule: a key stands for the same files, the same bases and the same way of building. So a lab that
takes these images gets the result of its own builder.
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
"""Pulls and pushes at the same time."""


def key(store: Store, tag: str, *recipe: Path) -> str:
    """The hash of the images' inputs: our files, which the tag stands for, bases, recipe."""
    bases_now = [store.find(*base.split(":")) for base in (ground.NAME, *bases.names())]
    total = hashlib.sha256(json.dumps([tag, bases_now]).encode())
    for module in recipe:
        total.update(module.read_bytes())
    return total.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """Finished images in the lab's store, by the hash of their inputs."""

    on: Engine
    store: Store
    registry: str
    key: str

    def has(self, images: Mapping[str, str]) -> bool:
        """Whether the store has all of them."""
        return all(self.store.find(f"built-{name}", self.key) for name in images)

    def get(self, images: Mapping[str, str]) -> None:
        """Pull them to the engine, under the names that a build would give them."""

        def pull(name: str) -> None:
            source = f"{self.registry}/built-{name}:{self.key}"
            self.on.run("pull", "--quiet", source, timeout=300)
            self.on.run("tag", source, images[name])

        first, *others = images
        # The first pull brings the layers that all share.
        pull(first)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(pull, others))

    def put(self, images: Mapping[str, str]) -> None:
        """Save them from the engine to the store."""
        names = {image: f"built-{name}" for name, image in images.items()}
        self.on.save(list(names), lambda saved: self.store.adopt_all(names, self.key, saved))
