"""Powering this machine off."""

import subprocess

from runtime.errors import RefusedError


def power_off() -> None:
    """Shut down as a person would; on EC2 that terminates a one-time spot instance.

    Returns at once. Raises RefusedError if systemd refuses.
    """
    done = subprocess.run(
        ["systemctl", "--no-block", "--check-inhibitors=no", "poweroff"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode:
        raise RefusedError(f"systemd does not power off: {done.stderr.strip()[-200:]}")
