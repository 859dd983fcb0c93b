"""A stack file as it is deployed: chosen services, their needs, and what has to be there. Pure.

Rule: whatever is wrong is found before anything is changed, and all of it at once.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from cli.deploy.interpolation import Interpolation, escaped

_OURS: Final = "x-spotswarm"
_DIGITS: Final = 8

Table = dict[str, Any]
Read = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class SecretWish:
    """A secret the stack uses."""

    name: str
    bytes_made: int = 0
    """How many random bytes it is made of; 0: it has to be given."""
    is_optional: bool = False

    @property
    def variable(self) -> str:
        """What names a file with it."""
        return f"{self.name.upper()}_FILE"


@dataclass
class Stack:
    """What is deployed, and what it stands on."""

    name: str
    document: Table
    networks: list[str] = field(default_factory=list)
    """That the leader has made."""
    secrets: list[SecretWish] = field(default_factory=list)
    label_a_manager: str | None = None
    """A node label that exactly one manager has to have."""
    remarks: list[str] = field(default_factory=list)

    @property
    def services(self) -> list[str]:
        """Names without the stack's."""
        return list(self.document["services"])

    @property
    def configs(self) -> list[str]:
        """Names of the configs in the swarm."""
        return [one["name"] for one in self.document.get("configs", {}).values()]

    def without_secrets(self, names: set[str]) -> None:
        """Leave optional secrets out of every service."""
        self.secrets = [one for one in self.secrets if one.name not in names]
        _forget(self.document, "secrets", names)

    def text(self) -> str:
        """For `docker stack deploy -c -`."""
        return yaml.safe_dump(escaped(self.document), sort_keys=False, width=100)


class StackError(ValueError):
    """The file, or what was chosen of it, cannot be deployed: a sentence a line."""


def load(name: str, text: str, values: Mapping[str, str], *, directory: Path, read: Read) -> Stack:
    """Read a stack file; `read` gets the files its configs are made of.

    Raises:
        StackError: says all that is wrong.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise StackError(f"{name}.yml: {exc}") from exc
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict):
        raise StackError(f"{name}.yml has no services")
    ours = raw.get(_OURS, {})
    table = {key: value for key, value in raw.items() if not str(key).startswith("x-")}
    wishes = {key: dict(one.get(_OURS, {})) for key, one in _part(table, "services").items()}
    # Of a stack that is not chosen from, .env may name what is in another.
    choice = values.get("SERVICES", "") if ours.get("is_chosen_from") else ""
    chosen, remarks = _chosen(wishes, values, choice)
    table["services"] = {
        key: {part: value for part, value in one.items() if part != _OURS}
        for key, one in table["services"].items()
        if key in chosen
    }
    interpolation = Interpolation(values)
    table["services"] = interpolation.of(table["services"])
    # Then what they use alone: nobody has to set a variable for what is not deployed.
    _keep_used(table)
    secret_wishes = _secrets(table)
    table |= interpolation.of({key: one for key, one in table.items() if key != "services"})
    if interpolation.missing:
        raise StackError("\n".join(_asked(interpolation.missing)))
    _configs(name, table, directory, read)
    networks = [
        one.get("name", key) for key, one in _part(table, "networks").items() if _is_external(one)
    ]
    label = ours.get("label_a_manager")
    uses_label = label is not None and any(label in one for _, one in constraints_of(table))
    return Stack(
        name=name,
        document=table,
        networks=networks,
        secrets=secret_wishes,
        label_a_manager=label if uses_label else None,
        remarks=remarks,
    )


def constraints_of(document: Table) -> Iterator[tuple[str, str]]:
    """Every placement constraint, with its service."""
    for name, service in document["services"].items():
        for constraint in service.get("deploy", {}).get("placement", {}).get("constraints", ()):
            yield name, str(constraint)


def _chosen(
    wishes: Mapping[str, Mapping[str, Any]], values: Mapping[str, str], choice: str
) -> tuple[set[str], list[str]]:
    """The services to be deployed, and remarks on what will work in part."""
    offered = {
        name
        for name, wish in wishes.items()
        if all(values.get(key) in wanted for key, wanted in wish.get("when", {}).items())
    }
    asked = {one for one in choice.replace(",", " ").split() if one}
    provided = {name: {name, wishes[name].get("provides", name)} for name in wishes}
    wrong: list[str] = []
    for one in sorted(asked):
        by = {name for name in wishes if one in provided[name]}
        if not by:
            wrong.append(f"SERVICES names {one}, which is none: {', '.join(sorted(offered))}")
        elif not by & offered:
            when = "; ".join(
                f"{key}={'|'.join(wanted)}"
                for name in sorted(by)
                for key, wanted in wishes[name].get("when", {}).items()
            )
            wrong.append(f"SERVICES names {one}, which is deployed when {when}")
    chosen = {name for name in offered if not asked or asked & provided[name]}
    has = {one for name in chosen for one in provided[name]}
    remarks = []
    for name in sorted(chosen):
        lacking = [one for one in wishes[name].get("needs", ()) if one not in has]
        if lacking:
            wrong.append(f"{name} needs {', '.join(lacking)}: add it to SERVICES")
        missed = [one for one in wishes[name].get("wants", ()) if one not in has]
        if missed:
            remarks.append(f"{name} works in part without {', '.join(missed)}")
    if wrong:
        raise StackError("\n".join(wrong))
    return chosen, remarks


def _keep_used(table: Table) -> None:
    """Drop networks, volumes, configs and secrets that no chosen service uses."""
    for kind in ("networks", "secrets", "configs", "volumes"):
        if kind not in table:
            continue
        used: set[str] = set()
        for service in table["services"].values():
            for one in service.get(kind, ()):
                used.add(str(one.get("source", "")) if isinstance(one, dict) else str(one))
        table[kind] = {key: one or {} for key, one in table[kind].items() if key in used}


def _secrets(table: Table) -> list[SecretWish]:
    found = []
    for key, one in _part(table, "secrets").items():
        wish = one.pop(_OURS, {})
        found.append(
            SecretWish(
                name=one.get("name", key),
                bytes_made=int(wish.get("generate", 0)),
                is_optional=bool(wish.get("optional", False)),
            )
        )
    return found


def _configs(name: str, table: Table, directory: Path, read: Read) -> None:
    """Name configs by what is in them: a config cannot change, so another content is another."""
    absent: set[str] = set()
    wrong: list[str] = []
    for key, one in _part(table, "configs").items():
        if _is_external(one):
            continue
        if not one.get("file"):
            absent.add(key)
            continue
        path = directory / str(one["file"])
        try:
            content = read(path)
        except OSError as exc:
            wrong.append(f"config {key}: {path} cannot be read ({exc.strerror})")
            continue
        digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
        one.update(file=str(path), name=f"{name}_{key}_{digest}")
    if wrong:
        raise StackError("\n".join(wrong))
    _forget(table, "configs", absent)


def _forget(table: Table, kind: str, names: set[str]) -> None:
    if not names:
        return
    table[kind] = {key: one for key, one in _part(table, kind).items() if key not in names}
    for service in table["services"].values():
        if kind in service:
            service[kind] = [
                one
                for one in service[kind]
                if (one["source"] if isinstance(one, dict) else one) not in names
            ]


def _asked(missing: Mapping[str, str]) -> Iterator[str]:
    for name, what in sorted(missing.items()):
        yield f"{name} is not set" + (f": {what}" if what else "")


def _part(table: Table, kind: str) -> Table:
    found: Table = table.get(kind) or {}
    return found


def _is_external(one: Any) -> bool:
    return isinstance(one, dict) and bool(one.get("external"))
