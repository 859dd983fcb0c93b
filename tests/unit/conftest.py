"""Pure tests: no sockets, no sleeps, no mocks."""

import os

from hypothesis import HealthCheck, settings

# .venv has many packages; scanning them all for pydantic plugins is the AMI's cost too.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# How long examples take to draw says how busy the machine is, a container's half core most of all.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
