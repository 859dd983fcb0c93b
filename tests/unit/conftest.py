"""Pure tests: no sockets, no sleeps, no mocks."""

import os

import randomness

# .venv has many packages; scanning them all for pydantic plugins is the AMI's cost too.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

randomness.register()
