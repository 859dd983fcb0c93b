#!/usr/bin/env bash
# Locks the versions and hashes of all dependencies, for the images, for developers and for CI.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { # output, extras…
    local output=$1
    shift
    uv pip compile setup.cfg "${@/#/--extra=}" --generate-hashes --universal --python-version 3.11 \
        --no-header --no-emit-index-url --no-annotate --quiet --upgrade --output-file "$output"
}
compile requirements/image.txt agent leader cli
compile requirements/services.txt services
compile requirements/dev.txt agent leader services cli lab dev
tools() { # output, packages… to install in addition to the services' packages
    local output=$1
    shift
    printf '%s\n' "$@" | uv pip compile - --constraint requirements/services.txt \
        --constraint requirements/dev.txt --generate-hashes \
        --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate --quiet \
        --upgrade --output-file "$output"
}
tools requirements/test-services.txt coverage hypothesis pytest pytest-asyncio
tools requirements/reload-services.txt watchfiles
echo uv | uv pip compile - --generate-hashes --universal --python-version 3.11 \
    --no-header --no-emit-index-url --no-annotate --quiet --upgrade \
    --output-file requirements/bootstrap.txt
