"""Select the services to deploy, based on a stack file's `x-spotswarm` keys and SERVICES in .env.

A service with `when` is available only if the listed variables have the listed values. `provides`
gives a service an alias. `needs` lists the services that a service requires. `wants` lists the
services that a service needs for some of its features.
"""

from collections.abc import Mapping
from typing import Any

from cli.deploy.stackfile.errors import VariableError

Wishes = Mapping[str, Mapping[str, Any]]
"""The `x-spotswarm` table of each service."""


def select(wishes: Wishes, values: Mapping[str, str], choice: str) -> tuple[set[str], list[str]]:
    """Return the services to deploy, and remarks about services that will lack some features.

    Raises:
        VariableError: if a requested service does not exist or is not available, or if a required
            service is not selected.
    """
    offered = {
        name
        for name, wish in wishes.items()
        if all(
            values.get(key) in {str(value) for value in wanted}
            for key, wanted in wish.get("when", {}).items()
        )
    }
    requested = {name for name in choice.replace(",", " ").split() if name}
    provided = {name: {name, wishes[name].get("provides", name)} for name in wishes}
    errors = [
        error
        for name in sorted(requested)
        if (error := _not_offered(name, wishes, provided, offered))
    ]
    chosen = {name for name in offered if not requested or requested & provided[name]}
    available = {alias for name in chosen for alias in provided[name]}
    remarks = []
    for name in sorted(chosen):
        lacking = [need for need in wishes[name].get("needs", ()) if need not in available]
        if lacking:
            names = ", ".join(lacking)
            errors.append(f"{name} needs {names}; add {names} to SERVICES")
        missed = [want for want in wishes[name].get("wants", ()) if want not in available]
        if missed:
            remarks.append(f"some features of {name} do not work without {', '.join(missed)}")
    if errors:
        raise VariableError("\n".join(errors))
    if not chosen:
        raise VariableError("no service is selected; change the variables named under `when`")
    return chosen, remarks


def alternatives(wishes: Wishes, chosen: set[str]) -> set[str]:
    """Return the services that are not selected and whose place a selected service takes."""
    provided = {wishes[name]["provides"] for name in chosen if "provides" in wishes[name]}
    return {
        name
        for name, wish in wishes.items()
        if name not in chosen and wish.get("provides") in provided
    }


def _not_offered(
    name: str, wishes: Wishes, provided: Mapping[str, set[str]], offered: set[str]
) -> str:
    """Return why a requested service is not available, or an empty string if it is available."""
    providers = {service for service in wishes if name in provided[service]}
    if not providers:
        available = ", ".join(sorted(offered))
        return f"SERVICES names {name}, which is not a service; the services are {available}"
    if providers & offered:
        return ""
    conditions = "; ".join(
        f"{key}={'|'.join(map(str, wanted))}"
        for service in sorted(providers)
        for key, wanted in wishes[service].get("when", {}).items()
    )
    return f"SERVICES names {name}, which is deployed only if {conditions}"
