"""Provides the wheels that an image needs: the locked requirements, and Spotswarm's code.

Rule: pip in the image never contacts a package index. Pip on the host downloads all wheels to a
directory; pip in the image checks the hashes of these wheels, and installs nothing else.
"""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Final

from packaging.markers import Environment, Marker, default_environment

from lab.host import LabError, run

SOURCES: Final = ("agent", "cli", "leader", "runtime", "wire")
"""The packages that go into the image; the lab is not one of them."""
_PROJECT_FILES: Final = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_BUILD: Final = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def download(requirements: Path, wheelhouse: Path, *, python: str) -> None:
    """Fill `wheelhouse` with the locked wheels for the image's Python, and check their hashes.

    `python` is the version of Python in the image, such as 3.13, not the version that runs the lab.
    """
    wheelhouse.mkdir(parents=True, exist_ok=True)
    plain = wheelhouse / "requirements.txt"
    plain.write_text(for_image(requirements.read_text(encoding="utf-8"), python), encoding="utf-8")
    run(
        *_pip(),
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        f"--python-version={python}",
        f"--dest={wheelhouse}",
        f"--requirement={plain}",
        timeout=600,
    )


def for_image(locked: str, python: str) -> str:
    """Return the locked requirements that the image's Python needs, without environment markers.

    The markers are removed because pip on the host would evaluate them for the host's Python.
    """
    lines = []
    for entry in locked.replace("\\\n", " ").splitlines():
        requirement, _, hashes = entry.partition("--hash")
        name, _, marker = requirement.partition(";")
        if not name.strip() or name.lstrip().startswith("#"):
            continue
        if not _applies(marker.strip(), python):
            continue
        lines.append(f"{name.strip()} --hash{hashes}" if hashes else name.strip())
    return "\n".join(lines) + "\n"


def _applies(marker: str, python: str) -> bool:
    """Return whether an environment marker may apply to the image's Python version.

    The patch release of that version is not known, so the marker is evaluated for an early and a
    late patch release. The result is true if the marker applies to either of them, because an
    unnecessary wheel is harmless.
    """
    if not marker:
        return True
    here = default_environment()
    for patch in ("0", "99"):
        there: Environment = {
            **here,
            "python_version": python,
            "python_full_version": f"{python}.{patch}",
        }
        if Marker(marker).evaluate({key: str(value) for key, value in there.items()}):
            return True
    return False


def build(repository: Path, into: Path) -> Path:
    """Build Spotswarm's wheel from a copy of the working tree; return the wheel's path."""
    if not importlib.util.find_spec("setuptools"):
        raise LabError("could not find setuptools: run `pip install 'setuptools>=77'`")
    tree = into / "source"
    for name in SOURCES:
        shutil.copytree(
            repository / name, tree / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in _PROJECT_FILES:
        if (repository / name).exists():
            shutil.copy2(repository / name, tree / name)
    script = f"import os; os.chdir({str(tree)!r}); {_BUILD}"
    run(sys.executable, "-W", "ignore", "-c", script, str(into), timeout=120)
    return next(into.glob("spotswarm-*.whl"))


def _pip() -> tuple[str, ...]:
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        if program := shutil.which(name):
            return (program,)
    raise LabError("could not find pip: run `apt-get install python3-pip`")
