"""Describe the host that runs a benchmark, and the commit being measured."""

import os
import platform
from pathlib import Path
from typing import Any

from lab import cluster
from lab.host import run


def host() -> dict[str, Any]:
    """Return facts about this host: its CPUs, memory, kernel and load."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu,
        "memory_gib": round(memory_bytes / 2**30, 1),
        "kernel": platform.release(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def commit() -> str:
    """Return the short hash of the current commit, or `unknown` if there is none."""
    git = ("git", "-C", str(cluster.REPOSITORY), "rev-parse", "--short", "HEAD")
    return run(*git, check=False).stdout.strip() or "unknown"
