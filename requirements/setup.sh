#!/usr/bin/env bash
# The developers' virtual environment: locked packages, then this tree as an editable install.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: python3 is older than 3.11 or lacks venv." >&2
    echo "next:  apt-get install python3 python3-venv   (Debian 12 or later, Ubuntu 24.04 or later)" >&2
    exit 1
fi
[ -x .venv/bin/pip ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
export VIRTUAL_ENV=$PWD/.venv
.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
touch .venv/ready
