#!/usr/bin/env bash
# Pins every dependency with its hashes: what the image gets, and what developers and CI get.
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
echo uv | uv pip compile - --generate-hashes --universal --python-version 3.11 \
    --no-header --no-emit-index-url --no-annotate --quiet --upgrade \
    --output-file requirements/bootstrap.txt
