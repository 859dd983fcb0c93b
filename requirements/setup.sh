#!/usr/bin/env bash
# Creates the developers' virtual environment with the locked packages and this tree (editable).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=requirements/steps.sh
. requirements/steps.sh
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "error: python3 is older than 3.11, or the venv module is missing" >&2
    echo "next:  run apt-get install python3 python3-venv (Debian 12 or later, Ubuntu 24.04 or later)" >&2
    exit 1
fi
[ -x .venv/bin/pip ] || step "creating .venv" python3 -m venv .venv
step "installing uv" .venv/bin/python -m pip install --require-hashes -r requirements/bootstrap.txt
export VIRTUAL_ENV=$PWD/.venv
step "installing $(grep -c '==' requirements/dev.txt) Python packages" \
    .venv/bin/uv pip install --compile-bytecode --require-hashes -r requirements/dev.txt
step "installing this tree into .venv" \
    .venv/bin/uv pip install --no-deps --no-build-isolation --editable .
touch .venv/ready
