#!/bin/bash
# Install the locked npm packages: the web pages' assets (services/assets) and the lab's substitute
# for CouchDB (lab/couchdb). The packages are downloaded once per lock file, into the lab's cache,
# which all clones share.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=requirements/steps.sh
. requirements/steps.sh
cache=${SPOTSWARM_LAB_CACHE:-/var/cache/spotswarm-lab}

tree_of() { # DIRECTORY: print the path of its packages in the cache
    echo "$cache/npm-$(cat "$1/package.json" "$1/package-lock.json" | sha256sum | cut -c1-16)"
}

install_locked() { # DIRECTORY: install the packages that its lock file lists
    # Skip install scripts: native packages contain prebuilt binaries, and the rest need no scripts.
    cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error
}

provide() { # DIRECTORY: make sure that its packages are in the cache
    local tree partial
    tree=$(tree_of "$1")
    [[ ! -d $tree ]] || return 0
    if ! command -v npm >/dev/null; then
        echo "error: npm is not installed, and the packages of $1 are not in the cache ($tree)" >&2
        echo "next:  run \`apt-get install npm\`, then run the same command again" >&2
        return 1
    fi
    mkdir -p "$cache"
    partial=$(mktemp -d "$cache/npm-partial.XXXXXX")
    cp "$1"/package.json "$1"/package-lock.json "$partial"
    if ! step "installing the npm packages of $1 (only once; takes a few minutes)" install_locked "$partial"; then
        rm -rf "$partial"
        return 1
    fi
    chmod 755 "$partial"
    # Another run may have finished first, with the same result.
    mv -T "$partial" "$tree" 2>/dev/null || rm -rf "$partial"
}

provide lab/couchdb
ln -sfn "$(tree_of lab/couchdb)/node_modules" lab/couchdb/node_modules

provide services/assets
assets=$(tree_of services/assets)
mark=services/assets/node_modules/.from
if [[ ! -f $mark || $(<"$mark") != "$assets" ]]; then
    # Copy instead of linking, because image builds see only files inside the repository.
    rm -rf services/assets/node_modules
    cp -a "$assets/node_modules" services/assets/node_modules
    echo "$assets" >"$mark"
fi
