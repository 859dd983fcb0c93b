"""Write a document as YAML that Docker's client reads as the same values.

Rule: a string that any reader of YAML may take for a number, a date or a truth value is quoted. A
`Plain` is written as it was read.
"""

from typing import Any

import yaml

from cli.deploy.stackfile.syntax.scalars import Plain, is_ambiguous


class _Dumper(yaml.SafeDumper):
    """Writes strings so that Docker reads them as strings."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if is_ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_plain(dumper: yaml.SafeDumper, text: Plain) -> yaml.ScalarNode:
    # The tag that PyYAML itself would resolve is omitted from the output.
    tag = dumper.resolve(yaml.ScalarNode, str(text), (True, False))  # type: ignore[no-untyped-call]
    return dumper.represent_scalar(tag, str(text))


_Dumper.add_representer(str, _represent_text)
# PyYAML's own functions can write a document with these values, too.
yaml.SafeDumper.add_representer(Plain, _represent_plain)
_Dumper.add_representer(Plain, _represent_plain)


def write(document: Any) -> str:
    """Return a document as YAML text. The document has only tables, lists and scalars."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)
