"""Every file, make target and relative link that a document names exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), ROOT / "ami/README.md", *(ROOT / "docs").rglob("*.md")],
)
TOP = "|".join(
    re.escape(entry.name)
    for entry in sorted(ROOT.iterdir())
    if entry.is_dir() and not entry.name.startswith(".")
)
# A path with a suffix of ours, a folder's slash or an asterisk. `leader/leader.key` is a secret's
# name; a segment in capitals, as in `services/NAME/app.py`, stands for a name.
PATH = re.compile(rf"(?<![\w/.:-])(?:{TOP})/[\w./*-]*")
SUFFIX = re.compile(r"\.(py|md|yml|sh|txt|json|svg|png|service|path)$|/$|\*")
PLACEHOLDER = re.compile(r"(^|/)[A-Z]{2,}(/|\.|$)")
LINK = re.compile(r"\]\(([^)#\s]+)")
CODE = re.compile(r"^```[^\n]*\n(.*?)^```|`([^`\n]+)`", re.DOTALL | re.MULTILINE)
MAKE = re.compile(r"^(?:sudo )?make ([a-z][a-z-]*)(?![\w…-])", re.MULTILINE)


def dangling(text: str, *, folder: Path, targets: set[str]) -> Iterator[str]:
    for path in PATH.findall(text):
        name = path.rstrip(".")
        is_checked = SUFFIX.search(name) and not PLACEHOLDER.search(name)
        if is_checked and not any(ROOT.glob(name)):
            yield name
    for link in LINK.findall(text):
        if "://" not in link and not (folder / link).exists():
            yield link
    for block, span in CODE.findall(text):
        for target in MAKE.findall(block or span):
            if target not in targets:
                yield f"make {target}"


@pytest.fixture(scope="module")
def targets():
    makefile = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document, targets):
    text = document.read_text()
    assert list(dangling(text, folder=document.parent, targets=targets)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See `leader/nowhere.py`.", ["leader/nowhere.py"]),
        ("See leader/nowhere.py.", ["leader/nowhere.py"]),
        ("The folder `leader/nowhere/` has", ["leader/nowhere/"]),
        ("`docs/decisions/9999-*`", ["docs/decisions/9999-*"]),
        ("[services](nowhere.md)", ["nowhere.md"]),
        ("Run `make nothing`.", ["make nothing"]),
        ("```\nsudo make nothing   # as root\n```\n", ["make nothing"]),
        ("`leader/decide.py`, `leader/`, `docs/decisions/0004-*`, tests/unit/...", []),
        ("The secret `leader/leader.key`, `/run/leader/no.py`, `leader/NAME/no.py`", []),
        ("[services](services.md#accounts), [site](https://example.org/nowhere.md)", []),
        ("`make unit`, `make bench-join`, `make demo…`; that should make sense", []),
    ],
)
def test_only_what_does_not_exist_is_reported(text, expected, targets):
    assert list(dangling(text, folder=ROOT / "docs", targets=targets)) == expected
