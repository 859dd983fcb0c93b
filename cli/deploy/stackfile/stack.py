"""Read a stack file: the services to deploy, and the resources that they require.

Rule: all errors are reported together, before anything is changed. Docker reads the document that
results from this; what we read from the document is only for our own checks.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.deploy.stackfile import contents, layers, names, remarks, wishes
from cli.deploy.stackfile.errors import StackError, VariableError
from cli.deploy.stackfile.interpolation import Interpolation, escaped, is_text
from cli.deploy.stackfile.references import (
    KINDS,
    Table,
    external_name,
    part,
    services_of,
    table_of,
    undefined,
    uses,
)
from cli.deploy.stackfile.selection import alternatives, select
from cli.deploy.stackfile.syntax.reader import parse
from cli.deploy.stackfile.syntax.writer import write
from wire.constraints import is_about_label

Read = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class SecretWish:
    """A secret that the stack uses and that is created outside the stack."""

    name: str
    random_bytes: int = 0
    """The size in bytes of a random value; 0 if the operator must provide the value."""
    is_optional: bool = False
    key: str = ""
    """The secret's key in the stack file, if it differs from the name."""

    @property
    def variable(self) -> str:
        """The name of the variable that contains the path to the secret's file."""
        return f"{self.name.upper()}_FILE"


@dataclass
class Stack:
    """A stack: the document that Docker deploys, and the resources that it requires."""

    name: str
    document: Table
    """All files of the stack, merged."""
    networks: list[str] = field(default_factory=list)
    """The names of external networks. The leader creates its own networks."""
    secrets: list[SecretWish] = field(default_factory=list)
    label_a_manager: str | None = None
    """A node label that exactly one manager must have."""
    remarks: list[str] = field(default_factory=list)
    layers: list[Table] = field(default_factory=list)
    """The document of each file, if the stack has several. Docker merges them."""
    directory: Path = Path()
    """The directory of the stack file. Relative paths in the document start there."""
    unselected: frozenset[str] = frozenset()
    """Services of the file that are not deployed because of SERVICES or `when`."""
    replaced: frozenset[str] = frozenset()
    """Those of `unselected` whose place another service takes, such as the other gateway."""
    rivals: frozenset[str] = frozenset()
    """The deployed services that take the places of `replaced`."""
    leftovers: dict[str, list[str]] = field(default_factory=dict)
    """The fields of `--json` about services that run and are not deployed any more."""

    @property
    def services(self) -> list[str]:
        """The names of the services, without the stack's name as a prefix."""
        return list(self.document["services"])

    @property
    def configs(self) -> list[str]:
        """The names of the stack's configs in the swarm."""
        return [
            external_name(key, config) or str(table_of(config).get("name") or key)
            for key, config in part(self.document, "configs").items()
        ]

    @property
    def inline_configs(self) -> dict[str, bytes]:
        """The content of each config whose text is in the stack file, by the config's name."""
        return {
            config["name"]: config["content"].encode()
            for document in self._documents
            for config in part(document, "configs").values()
            if isinstance(table_of(config).get("content"), str)
        }

    def report(self) -> dict[str, list[str]]:
        """Return the remarks and leftovers as fields for `--json`; only those with content."""
        return ({"remarks": self.remarks} if self.remarks else {}) | self.leftovers

    def without_secrets(self, absent: set[str]) -> None:
        """Remove the secrets with these names from the stack and from every service."""
        keys = {secret.key or secret.name for secret in self.secrets if secret.name in absent}
        self.secrets = [secret for secret in self.secrets if secret.name not in absent]
        for document in [self.document, *self.layers]:
            contents.remove(document, "secrets", keys)

    def text(self) -> str:
        """Return the documents as YAML for people to read. Docker gets `texts`."""
        return "---\n".join(self.texts({}))

    def texts(self, files: Mapping[str, Path]) -> list[str]:
        """Return the YAML of each document for `docker stack deploy`.

        `files` has the path of the file with the content of each of `inline_configs`: Docker reads
        configs only from files.
        """
        return [write(escaped(_with_files(document, files))) for document in self._documents]

    @property
    def _documents(self) -> list[Table]:
        return self.layers or [self.document]


def load(
    name: str,
    text: str,
    values: Mapping[str, str],
    *,
    directory: Path,
    read: Read,
    overlays: Sequence[tuple[str, str]] = (),
) -> Stack:
    """Parse a stack file, and call `read` to read each file that it names.

    `overlays` are the names and texts of further files, which Docker merges into the first.

    Raises:
        VariableError: if the only problems are variables, or the selection of services.
        StackError: if the stack is invalid. The message lists every problem.
    """
    files = [f"{name}.yml", *(file for file, _ in overlays)]
    tables = [
        _parsed(layer, file)
        for file, layer in zip(files, [text, *(layer for _, layer in overlays)], strict=True)
    ]
    whole = layers.merged(tables)
    with _prefixed(" + ".join(files)):
        ours = wishes.of_file(whole)
        service_wishes = wishes.of_services(whole)
    if layers.is_empty(whole):
        raise StackError(f"{files[0]} has no services")
    # SERVICES may name services of another stack, so it applies only with `is_chosen_from`.
    choice = values.get("SERVICES", "") if ours.get("is_chosen_from") else ""
    if not is_text(choice):
        raise VariableError("SERVICES is no UTF-8 text")
    chosen, notes = select(service_wishes, values, choice)
    tables = [_selected(table, chosen) for table in tables]
    drops_empty = bool(ours.get("drops_empty"))
    _interpolate(tables, files, values, drops_empty=drops_empty)
    with _prefixed(" + ".join(files)):
        secrets = _secrets(tables)
        _check(name, tables, directory, read, drops_empty=drops_empty)
    document = layers.merged(tables)
    replaced = alternatives(service_wishes, chosen)
    label = ours.get("label_a_manager")
    uses_label = label is not None and any(
        is_about_label(constraint, label) for _, constraint in constraints_of(document)
    )
    return Stack(
        name=name,
        document=document,
        networks=[
            external
            for key, network in part(document, "networks").items()
            if (external := external_name(key, network)) is not None
        ],
        secrets=secrets,
        label_a_manager=label if uses_label else None,
        remarks=notes + list(remarks.remarks(document)),
        layers=tables if len(tables) > 1 else [],
        directory=directory,
        unselected=frozenset(service_wishes) - chosen,
        replaced=frozenset(replaced),
        rivals=frozenset(
            name
            for name in chosen
            if service_wishes[name].get("provides")
            in {service_wishes[other]["provides"] for other in replaced}
        ),
    )


def is_stack(text: str) -> bool:
    """Return whether a YAML file in the stack directory is a stack.

    A file that is not a stack contains `is_stack: false`.
    """
    try:
        ours = parse(text, "").get(wishes.OURS)
    except StackError:
        return True
    return not isinstance(ours, dict) or ours.get("is_stack") is not False


def constraints_of(document: Table) -> Iterator[tuple[str, str]]:
    """Yield the service name and the text of every placement constraint."""
    yield from layers.constraints(document)


@contextmanager
def _prefixed(file: str) -> Iterator[None]:
    """Put the file's name before each line of a `StackError`."""
    try:
        yield
    except StackError as exc:
        lines = str(exc).splitlines()
        raise StackError("\n".join(f"{file}: {line}" for line in lines)) from None


def _parsed(text: str, file: str) -> Table:
    """Return a file's table without extension fields, which Docker ignores, except ours."""
    table = parse(text, file)
    services = table.get("services")
    if services is not None and not isinstance(services, dict):
        raise StackError(f"{file}: services must be a table of services")
    if errors := [
        f"{file}: service {key} says nothing; it needs an image"
        if service is None
        else f"{file}: service {key} must be a table"
        for key, service in (services or {}).items()
        if not isinstance(service, dict)
    ]:
        raise StackError("\n".join(errors))
    return layers.without_nulls(
        {
            key: value
            for key, value in table.items()
            if key == wishes.OURS or not key.startswith("x-")
        }
    )


def _selected(table: Table, chosen: set[str]) -> Table:
    selected = {key: value for key, value in table.items() if key != wishes.OURS}
    selected["services"] = {
        key: {name: value for name, value in service.items() if name != wishes.OURS}
        for key, service in services_of(table)
        if key in chosen
    }
    return selected


def _interpolate(
    tables: list[Table], files: Sequence[str], values: Mapping[str, str], *, drops_empty: bool
) -> None:
    """Replace the variables of the services and of the parts that they use.

    The services come first, so that unused parts require no variables.
    """
    unset: dict[str, str] = {}
    steps = [Interpolation(values, drops_empty=drops_empty, missing=unset) for _ in tables]
    for table, interpolation in zip(tables, steps, strict=True):
        table["services"] = interpolation.of(table["services"], path=("services",))
        layers.fill_environment(table, values)
    document = layers.merged(tables)
    used = {
        kind: {name for _, service in services_of(document) for name in uses(service, kind)}
        for kind in KINDS
    }
    layers.drop_unused(tables, used)
    for table, interpolation in zip(tables, steps, strict=True):
        for key in KINDS:
            if key in table:
                table[key] = interpolation.of(table[key], path=(key,))
    missing = list(_missing_variables(unset))
    errors = [
        f"{file}: {error}"
        for file, interpolation in zip(files, steps, strict=True)
        for error in interpolation.errors
    ]
    if errors:
        raise StackError("\n".join(errors + missing))
    if missing:
        raise VariableError("\n".join(missing))


def _secrets(tables: Iterable[Table]) -> list[SecretWish]:
    """Return the external secrets, and remove our own keys from all secrets."""
    secrets: dict[str, SecretWish] = {}
    for table in tables:
        for key, secret in part(table, "secrets").items():
            wish = wishes.of_secret(key, secret)
            table_of(secret).pop(wishes.OURS, None)
            name = external_name(key, secret)
            if name is not None:
                secrets[key] = SecretWish(
                    name=name,
                    random_bytes=wish.get("generate", 0),
                    is_optional=wish.get("optional", False),
                    key=key,
                )
    return list(secrets.values())


def _check(
    name: str, tables: Sequence[Table], directory: Path, read: Read, *, drops_empty: bool
) -> None:
    """Settle the configs and secrets.

    Raises:
        StackError: if Docker would refuse something only after it has changed the swarm.
    """
    errors: list[str] = []
    for table in tables:
        try:
            contents.settle(name, table, directory, read, drops_empty=drops_empty)
        except StackError as exc:
            errors += str(exc).splitlines()
    document = layers.merged(tables)
    errors += [
        *remarks.forbidden(document),
        *undefined(document),
        *names.refused(name, document),
    ]
    if errors:
        raise StackError("\n".join(dict.fromkeys(errors)))


def _with_files(document: Table, files: Mapping[str, Path]) -> Table:
    """Return the document with a file in place of each text of a config."""
    if not files:
        return document
    changed = copy.deepcopy(document)
    for config in part(changed, "configs").values():
        if isinstance(table_of(config).get("content"), str):
            del config["content"]
            config["file"] = str(files[config["name"]])
    return changed


def _missing_variables(missing: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in sorted(missing.items()):
        yield f"{name} is not set" + (f": {meaning}" if meaning else "")
