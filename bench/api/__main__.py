"""Measure how much Traefik, tokens and usage tracking slow down a request for a page of news.

The baseline, measured in the same run, is the bare handler in `bench.api.bare`. The programs run as
processes on this host, and wrk sends requests to one of them at a time over a few connections. Run
`make bench-api`; root access is not required.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import terminal
from bench.api.servers import Way, standing
from bench.host import commit, host
from lab.host import LabError
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
    """The figures for one way of requesting the page, measured under load for a few seconds."""

    way: str
    connections: int
    round: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int


def main() -> None:
    """Run the benchmark, print the figures, and stop all processes even after an error."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="number of rounds, each running all ways forwards and backwards; default 3",
    )
    parser.add_argument(
        "--seconds", type=int, default=2, help="seconds of load per measurement; default 2"
    )
    parser.add_argument(
        "--connections",
        type=int,
        nargs="+",
        default=[1, 4],
        help="numbers of open connections; the worst result is reported; default 1 4",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    samples: list[Sample] = []
    total = options.rounds * 6 * len(options.connections)
    try:
        with terminal.progress(total) as (report, advance), standing() as ways:
            for way in ways:
                _load(way, connections=options.connections[0], seconds=2, number=0)
            for number in range(1, options.rounds + 1):
                for connections in options.connections:
                    for way in (*ways, *reversed(ways)):
                        report(f"{way.what}, {connections} connections")
                        samples.append(
                            _load(
                                way, connections=connections, seconds=options.seconds, number=number
                            )
                        )
                        advance()
    except LabError as exc:
        terminal.fail(exc)
    _show(samples, {way.name: way.what for way in ways})


def _load(way: Way, *, connections: int, seconds: int, number: int) -> Sample:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        # The token goes into a private file, because anyone can read a command line.
        for name, value in way.headers.items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.write(_REPORT)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, way.url]
        try:
            process = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=seconds + 60
            )
        except FileNotFoundError as exc:
            raise LabError("wrk is not installed; run `make needs` to install it") from exc
        except subprocess.CalledProcessError as exc:
            raise LabError(f"wrk failed with {way.what}: {exc.stderr}") from exc
    output = json.loads(process.stdout.strip().splitlines()[-1])
    if output["failed"] or not output["requests"]:
        raise LabError(f"{way.what}: {output['failed']} of {output['requests']} requests failed")
    return Sample(way=way.name, connections=connections, round=number, **output)


def summary(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the medians for each number of connections and each way of requesting the page.

    Include the ratio of each median to the bare handler's median.
    """
    entries = []
    for connections in dict.fromkeys(sample.connections for sample in samples):
        same_load = [sample for sample in samples if sample.connections == connections]
        base = _medians([sample for sample in same_load if sample.way == _BASELINE])
        for way in dict.fromkeys(sample.way for sample in same_load):
            own = _medians([sample for sample in same_load if sample.way == way])
            ratios = {f"{name}_to_bare": round(own[name] / base[name], 2) for name in own}
            over = {"p50_over_bare_ms": round(own["p50_ms"] - base["p50_ms"], 3)}
            entries.append({"connections": connections, "way": way, **own, **ratios, **over})
    return entries


def _medians(samples: Sequence[Sample]) -> dict[str, float]:
    return {
        "p50_ms": round(median(sample.p50_ms for sample in samples), 3),
        "p99_ms": round(median(sample.p99_ms for sample in samples), 3),
        "requests_per_second": round(
            median(sample.requests / sample.seconds for sample in samples), 1
        ),
    }


def _show(samples: Sequence[Sample], titles: dict[str, str]) -> None:
    entries = summary(samples)
    out = Console(width=_WIDTH)
    table = Table(title="A page of 20 articles (medians)", box=None, title_style="bold")
    table.add_column("connections", justify="right")
    table.add_column("way")
    for head in ("p50 ms", "/ bare", "p99 ms", "/ bare", "requests/s", "/ bare"):
        table.add_column(head, justify="right")
    for entry in entries:
        table.add_row(
            str(entry["connections"]),
            titles[entry["way"]],
            *(
                cell
                for name in ("p50_ms", "p99_ms", "requests_per_second")
                for cell in (f"{entry[name]:.2f}", f"{entry[f'{name}_to_bare']:.2f}")
            ),
        )
    out.print(table)
    judged = max(entry["p50_ms_to_bare"] for entry in entries if entry["way"] == "traefik")
    print(
        json.dumps(
            {
                "bench": "api",
                "at": clock.now().isoformat(timespec="seconds"),
                "commit": commit(),
                "host": host(),
                "p50_ratio": judged,
                "medians": entries,
                "samples": [asdict(sample) for sample in samples],
            }
        )
    )


if __name__ == "__main__":
    main()
