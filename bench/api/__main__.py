"""What Traefik, tokens and tracking cost a call of public_api: the same page of news three ways.

The bare handler is the baseline, of the same run: `bench.api.bare`. Real processes on this host,
load by wrk over few connections, in turns. Needs no root: `make bench-api`.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import figures, stage
from bench.api.ground import Way, standing
from lab.host import LabError, run
from runtime import clock

_BASELINE: Final = "bare"
_WIDTH: Final = 100
_REPORT: Final = """
function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"failed":%d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One way under load, once."""

    way: str
    connections: int
    round: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int


def main() -> None:
    """Measure, print, and leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of all ways, there and back")
    parser.add_argument("--seconds", type=int, default=2, help="of load, each time")
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[1, 4], help="the worst is judged"
    )
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    samples: list[Sample] = []
    total = asked.rounds * 6 * len(asked.connections)
    try:
        with stage.progress(total) as (report, advance), standing() as ways:
            for way in ways:
                _load(way, connections=asked.connections[0], seconds=2, number=0)
            for number in range(1, asked.rounds + 1):
                for connections in asked.connections:
                    for way in (*ways, *reversed(ways)):
                        report(f"{way.what}, {connections} connections")
                        samples.append(
                            _load(
                                way, connections=connections, seconds=asked.seconds, number=number
                            )
                        )
                        advance()
    except LabError as exc:
        stage.fail(exc)
    _show(samples, {way.name: way.what for way in ways})


def _load(way: Way, *, connections: int, seconds: int, number: int) -> Sample:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        # In a file of ours alone: a command line is everybody's to read.
        for name, value in way.headers.items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.write(_REPORT)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, way.url]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=seconds + 60
            )
        except FileNotFoundError as exc:
            raise LabError("wrk is not installed: run `make needs`") from exc
        except subprocess.CalledProcessError as exc:
            raise LabError(f"wrk failed on {way.what}: {exc.stderr}") from exc
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["failed"] or not told["requests"]:
        raise LabError(f"{way.what}: {told['failed']} of {told['requests']} requests failed")
    return Sample(way=way.name, connections=connections, round=number, **told)


def summary(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One entry for each number of connections and way: medians, and ratios to the bare one."""
    found = []
    for connections in dict.fromkeys(one.connections for one in samples):
        here = [one for one in samples if one.connections == connections]
        base = _medians([one for one in here if one.way == _BASELINE])
        for way in dict.fromkeys(one.way for one in here):
            own = _medians([one for one in here if one.way == way])
            ratios = {f"{name}_to_bare": round(own[name] / base[name], 2) for name in own}
            over = {"p50_over_bare_ms": round(own["p50_ms"] - base["p50_ms"], 3)}
            found.append({"connections": connections, "way": way, **own, **ratios, **over})
    return found


def _medians(samples: Sequence[Sample]) -> dict[str, float]:
    return {
        "p50_ms": round(median(one.p50_ms for one in samples), 3),
        "p99_ms": round(median(one.p99_ms for one in samples), 3),
        "requests_per_second": round(median(one.requests / one.seconds for one in samples), 1),
    }


def _show(samples: Sequence[Sample], whats: dict[str, str]) -> None:
    entries = summary(samples)
    out = Console(width=_WIDTH)
    table = Table(title="A page of 20 articles, medians", box=None, title_style="bold")
    table.add_column("connections", justify="right")
    table.add_column("way")
    for head in ("p50 ms", "/ bare", "p99 ms", "/ bare", "requests/s", "/ bare"):
        table.add_column(head, justify="right")
    for one in entries:
        table.add_row(
            str(one["connections"]),
            whats[one["way"]],
            *(
                cell
                for name in ("p50_ms", "p99_ms", "requests_per_second")
                for cell in (f"{one[name]:.2f}", f"{one[f'{name}_to_bare']:.2f}")
            ),
        )
    out.print(table)
    repository = Path(__file__).parents[1]
    commit = run("git", "-C", str(repository), "rev-parse", "--short", "HEAD", check=False)
    judged = max(one["p50_ms_to_bare"] for one in entries if one["way"] == "traefik")
    print(
        json.dumps(
            {
                "bench": "api",
                "at": clock.now().isoformat(timespec="seconds"),
                "commit": commit.stdout.strip(),
                "host": figures.host(),
                "p50_ratio": judged,
                "medians": entries,
                "samples": [asdict(one) for one in samples],
            }
        )
    )


if __name__ == "__main__":
    main()
