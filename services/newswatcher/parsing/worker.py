"""The parser's process: `python -m services.newswatcher.parsing.worker CPU_SECONDS MEMORY_BYTES`.

It reads requests on its standard input and answers them one at a time, until the input ends. It
needs no network and no secrets: the client starts it without newswatcher's environment.

Rule: the limits are set before the first byte is read. The processor time is limited for each
request, so that the process ends even if newswatcher was killed meanwhile.
"""

import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from services.newswatcher.parsing import frames
from services.newswatcher.parsing.answers import OUT_OF_MEMORY, Failure, answer

_SELF: Final = Path("/proc/self")


def main(arguments: list[str]) -> None:
    """Answer requests until the standard input ends."""
    cpu_seconds, memory_bytes = float(arguments[0]), int(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    # What a library prints must not reach the client.
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _limit_memory(memory_bytes)
    _write(sink, frames.encode({"ready": True}))
    while True:
        head = source.read(frames.HEAD_BYTES)
        if len(head) < frames.HEAD_BYTES:
            return
        _limit_cpu(cpu_seconds)
        try:
            text_bytes, body_bytes = frames.lengths(head)
            request = frames.decode(source.read(text_bytes))
            message = frames.encode(answer(request, source.read(body_bytes)))
        except MemoryError:
            # What the libraries left behind is unknown, so the client starts another process.
            _write(sink, frames.encode(Failure(failure=OUT_OF_MEMORY).model_dump()))
            return
        _write(sink, message)


def _write(sink: BinaryIO, message: bytes) -> None:
    sink.write(message)
    sink.flush()


def _limit_memory(memory_bytes: int) -> None:
    """Limit the memory beyond what the program itself uses, and write no core dumps."""
    pages = int((_SELF / "statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        # If the container runs out of memory, this process ends and not newswatcher.
        (_SELF / "oom_score_adj").write_text("1000")


def _limit_cpu(seconds: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_seconds = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used_seconds + seconds) + 1, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
