"""Serves `/test`, which runs a service's unit tests in its container and reports coverage.

Rule: only images built for tests contain this module. One test run is allowed at a time, because a
run occupies a core for several seconds. The output may contain source code, so the ingress requires
a password.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from aiohttp import web

from runtime import clock
from runtime.web.problems import Problem

_WITHIN_SECONDS: Final = 300.0
_LONGEST_MESSAGE: Final = 4000
_IMAGES_OWN: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "ASSETS_DIRECTORY")
"""The environment variables that tests inherit. All other variables are settings of the deployment,
on which unit tests must not depend."""


def add_route(app: web.Application, service: str, *, root: Path = Path()) -> None:
    """Add the route `/test`, which runs the tests in `tests/unit/services/SERVICE` under `root`."""
    turn = asyncio.Lock()
    root = root.resolve()

    async def run(_request: web.Request) -> web.Response:
        if turn.locked():
            raise Problem(
                status=409,
                title="The tests are already running",
                detail="Try again when the tests have finished.",
                headers={"Retry-After": "10"},
            )
        async with turn:
            results = await run_tests(service, root)
        return web.json_response(results)

    app.router.add_get("/test", run)


async def run_tests(service: str, root: Path) -> dict[str, Any]:
    """Run a service's unit tests in a separate process, and return their results and coverage.

    Raises:
        Problem: with status 504 if the tests take longer than five minutes, or 500 if there are no
            tests or the tests cannot be run.
    """
    began = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="self-test-") as scratch:
        place = Path(scratch)
        command = [
            *(
                sys.executable,
                "-m",
                "coverage",
                "run",
                "--branch",
                "--source",
                f"services.{service}",
            ),
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
            *("-o", "asyncio_mode=auto", f"--junit-xml={place}/junit.xml"),
            str(root / "tests/unit/services" / service),
        ]
        environment = {name: os.environ[name] for name in _IMAGES_OWN if name in os.environ} | {
            "COVERAGE_FILE": str(place / "coverage"),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "hypothesis"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        output = await _run(command, root, environment)
        report = place / "coverage.json"
        if (place / "coverage").exists():
            command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
            await _run(command, root, environment)
        results = _results(place / "junit.xml")
        if not results:
            raise Problem(
                status=500, title="The tests cannot be run", detail=output[-_LONGEST_MESSAGE:]
            )
        coverage = json.loads(report.read_text("utf-8")) if report.exists() else {}
    return {
        "service": service,
        **results,
        "duration_seconds": round(clock.monotonic() - began, 1),
        "coverage": _coverage(coverage),
    }


async def _run(command: list[str], root: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=root,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as exc:
        raise Problem(status=504, title="The tests took too long") from exc
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace")


def _results(report: Path) -> dict[str, Any]:
    """Read the results from a JUnit report; return an empty dictionary if there were no tests."""
    if not report.exists():
        return {}
    counts = {"passed": 0, "failed": 0, "errors": 0, "skipped": 0}
    failures = []
    names = {"failure": "failed", "error": "errors", "skipped": "skipped"}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  pytest wrote this file
        outcome = next((element for element in case if element.tag in names), None)
        counts[names[outcome.tag] if outcome is not None else "passed"] += 1
        if outcome is not None and outcome.tag != "skipped":
            message = (outcome.text or outcome.get("message") or "")[:_LONGEST_MESSAGE]
            test = f"{case.get('classname')}::{case.get('name')}"
            failures.append({"test": test, "message": message})
    return {**counts, "failures": failures} if any(counts.values()) else {}


def _coverage(report: dict[str, Any]) -> dict[str, Any]:
    files = {
        path: {"executed": file["executed_lines"], "missing": file["missing_lines"]}
        for path, file in report.get("files", {}).items()
    }
    percent = report.get("totals", {}).get("percent_covered", 0.0)
    return {"percent": round(percent, 1), "files": files}
