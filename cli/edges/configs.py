"""Create, find, label and remove Swarm configs through the engine's API."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.edges.engine_api import EngineApi


@dataclass(frozen=True, slots=True)
class Config:
    """A config in the swarm."""

    id: str
    version: int
    labels: Mapping[str, str]
    content: bytes = field(repr=False)


class Configs:
    """The swarm's configs. The methods raise what `EngineApi` raises."""

    def __init__(self, api: EngineApi) -> None:
        self._api = api

    def find(self, name: str) -> Config | None:
        """Return the config of this name, or None if there is none."""
        # The filter also selects names that contain the name.
        rows: list[dict[str, Any]] = self._api.get("/configs", name=[name])
        for row in rows:
            spec = row["Spec"]
            if spec["Name"] == name:
                content = base64.b64decode(spec.get("Data") or "")
                return Config(row["ID"], row["Version"]["Index"], spec.get("Labels") or {}, content)
        return None

    def create(self, name: str, labels: Mapping[str, str], content: bytes) -> None:
        """Create a config. The engine rejects a name that exists."""
        data = base64.b64encode(content).decode()
        self._api.post("/configs/create", {"Name": name, "Labels": labels, "Data": data})

    def label(self, name: str, config: Config, labels: Mapping[str, str]) -> None:
        """Replace the labels of a config, the only part that Swarm can change."""
        data = base64.b64encode(config.content).decode()
        body = {"Name": name, "Labels": labels, "Data": data}
        self._api.post(f"/configs/{config.id}/update", body, version=str(config.version))

    def remove(self, config_id: str) -> None:
        """Remove a config."""
        self._api.delete(f"/configs/{config_id}")
