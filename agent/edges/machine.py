"""Powers off this machine."""

import subprocess

from runtime.errors import RefusedError


def power_off() -> None:
    """Start a normal shutdown, and return immediately.

    On EC2, the shutdown terminates a one-time spot instance.

    Raises:
        RefusedError: if systemd rejects the request.
    """
    done = subprocess.run(
        ["systemctl", "--no-block", "--check-inhibitors=no", "poweroff"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode:
        raise RefusedError(f"systemd refused to power off: {done.stderr.strip()[-200:]}")
