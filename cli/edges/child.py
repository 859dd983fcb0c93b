"""End a child process when its parent ends, even if the parent is killed with SIGKILL."""

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def ends_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends; other systems cannot do it.

    Call this in the child, between fork and exec. The parent must have no other threads.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
