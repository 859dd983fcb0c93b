"""Read a stack file: the services to deploy, and the resources that they require.

Rule: all errors are reported together, before anything is changed.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from cli.deploy.stackfile.errors import StackError
from cli.deploy.stackfile.interpolation import Interpolation, escaped
from cli.deploy.stackfile.selection import select
from wire.constraints import is_about_label

_OURS: Final = "x-spotswarm"
_DIGITS: Final = 8

Table = dict[str, Any]
Read = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class SecretWish:
    """A secret that the stack uses."""

    name: str
    random_bytes: int = 0
    """The size in bytes of a random value; 0 if the operator must provide the value."""
    is_optional: bool = False

    @property
    def variable(self) -> str:
        """The name of the variable that contains the path to the secret's file."""
        return f"{self.name.upper()}_FILE"


@dataclass
class Stack:
    """A stack: the document that Docker deploys, and the resources that it requires."""

    name: str
    document: Table
    networks: list[str] = field(default_factory=list)
    """The names of external networks. The leader creates its own networks."""
    secrets: list[SecretWish] = field(default_factory=list)
    label_a_manager: str | None = None
    """A node label that exactly one manager must have."""
    remarks: list[str] = field(default_factory=list)

    @property
    def services(self) -> list[str]:
        """The names of the services, without the stack's name as a prefix."""
        return list(self.document["services"])

    @property
    def configs(self) -> list[str]:
        """The names of the stack's configs in the swarm."""
        return [config["name"] for config in self.document.get("configs", {}).values()]

    def without_secrets(self, names: set[str]) -> None:
        """Remove the named secrets from the stack and from every service."""
        self.secrets = [secret for secret in self.secrets if secret.name not in names]
        _remove(self.document, "secrets", names)

    def text(self) -> str:
        """Return the document as YAML for `docker stack deploy -c -`."""
        return yaml.safe_dump(escaped(self.document), sort_keys=False, width=100)


def load(name: str, text: str, values: Mapping[str, str], *, directory: Path, read: Read) -> Stack:
    """Parse a stack file, and call `read` to read each config file.

    Raises:
        StackError: if the stack is invalid. The message lists every problem.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise StackError(f"{name}.yml: {exc}") from exc
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict):
        raise StackError(f"{name}.yml has no services")
    ours = raw.get(_OURS, {})
    table = {key: value for key, value in raw.items() if not str(key).startswith("x-")}
    wishes = {
        key: dict(service.get(_OURS, {})) for key, service in _part(table, "services").items()
    }
    # SERVICES may name services of another stack, so it applies only with `is_chosen_from`.
    choice = values.get("SERVICES", "") if ours.get("is_chosen_from") else ""
    chosen, remarks = select(wishes, values, choice)
    table["services"] = {
        key: {part: value for part, value in service.items() if part != _OURS}
        for key, service in table["services"].items()
        if key in chosen
    }
    interpolation = Interpolation(values)
    table["services"] = interpolation.of(table["services"])
    # Replace the remaining variables after this step, so that unused parts require no variables.
    _drop_unused(table)
    secrets = _secrets(table)
    table |= interpolation.of({key: part for key, part in table.items() if key != "services"})
    if interpolation.missing:
        raise StackError("\n".join(_missing_variables(interpolation.missing)))
    _name_configs(name, table, directory, read)
    networks = [
        network.get("name", key)
        for key, network in _part(table, "networks").items()
        if _is_external(network)
    ]
    label = ours.get("label_a_manager")
    uses_label = label is not None and any(
        is_about_label(constraint, label) for _, constraint in constraints_of(table)
    )
    return Stack(
        name=name,
        document=table,
        networks=networks,
        secrets=secrets,
        label_a_manager=label if uses_label else None,
        remarks=remarks,
    )


def is_stack(text: str) -> bool:
    """Return whether a YAML file in the stack directory is a stack.

    A file that is not a stack contains `is_stack: false`.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError:
        return True
    ours = raw.get(_OURS) if isinstance(raw, dict) else None
    return not isinstance(ours, dict) or ours.get("is_stack") is not False


def constraints_of(document: Table) -> Iterator[tuple[str, str]]:
    """Yield the service name and the text of every placement constraint."""
    for name, service in document["services"].items():
        for constraint in service.get("deploy", {}).get("placement", {}).get("constraints", ()):
            yield name, str(constraint)


def _drop_unused(table: Table) -> None:
    """Remove networks, volumes, configs and secrets that no selected service uses."""
    for kind in ("networks", "secrets", "configs", "volumes"):
        if kind not in table:
            continue
        used = {
            _source(use) for service in table["services"].values() for use in service.get(kind, ())
        }
        table[kind] = {key: part or {} for key, part in table[kind].items() if key in used}


def _secrets(table: Table) -> list[SecretWish]:
    secrets = []
    for key, secret in _part(table, "secrets").items():
        wish = secret.pop(_OURS, {})
        secrets.append(
            SecretWish(
                name=secret.get("name", key),
                random_bytes=int(wish.get("generate", 0)),
                is_optional=bool(wish.get("optional", False)),
            )
        )
    return secrets


def _name_configs(name: str, table: Table, directory: Path, read: Read) -> None:
    """Append a content digest to each config's name, because configs cannot be changed.

    Configs without a file are removed.
    """
    absent: set[str] = set()
    errors: list[str] = []
    for key, config in _part(table, "configs").items():
        if _is_external(config):
            continue
        if not config.get("file"):
            absent.add(key)
            continue
        path = directory / str(config["file"])
        try:
            content = read(path)
        except OSError as exc:
            errors.append(f"config {key}: could not read {path}: {exc.strerror}")
            continue
        digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
        config.update(file=str(path), name=f"{name}_{key}_{digest}")
    if errors:
        raise StackError("\n".join(errors))
    _remove(table, "configs", absent)


def _remove(table: Table, kind: str, names: set[str]) -> None:
    if not names:
        return
    table[kind] = {key: part for key, part in _part(table, kind).items() if key not in names}
    for service in table["services"].values():
        if kind in service:
            service[kind] = [use for use in service[kind] if _source(use) not in names]


def _source(use: Any) -> str:
    """Return the name of the network, volume, config or secret that a service uses.

    `use` is the service's reference to it, in Compose's short or long syntax.
    """
    return str(use.get("source", "")) if isinstance(use, dict) else str(use)


def _missing_variables(missing: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in sorted(missing.items()):
        yield f"{name} is not set" + (f": {meaning}" if meaning else "")


def _part(table: Table, kind: str) -> Table:
    part: Table = table.get(kind) or {}
    return part


def _is_external(part: Any) -> bool:
    return isinstance(part, dict) and bool(part.get("external"))
