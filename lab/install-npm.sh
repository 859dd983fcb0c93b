#!/bin/bash
# Install the locked npm packages: what pages load (services/assets), and the lab's stand-in for
# CouchDB (lab/couchdb). Each is fetched once per lock, into the lab's cache, which outlives clones.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
cache=${SPOTSWARM_LAB_CACHE:-/var/cache/spotswarm-lab}

fetched() { # prints the cached tree of the package in directory $1
    local kept partial
    kept=$cache/npm-$(cat "$1/package.json" "$1/package-lock.json" | sha256sum | cut -c1-16)
    if [[ ! -d $kept ]]; then
        if ! command -v npm >/dev/null; then
            echo "install-npm: npm is missing, and $kept with the packages of $1 is not there." >&2
            echo "next:        apt-get install npm, then run this again" >&2
            return 1
        fi
        mkdir -p "$cache"
        partial=$(mktemp -d "$cache/npm-partial.XXXXXX")
        # No package's own scripts: prebuilt parts are in the packages, the rest need none.
        if ! (cp "$1"/package.json "$1"/package-lock.json "$partial" && cd "$partial" &&
            npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error >&2); then
            rm -rf "$partial"
            echo "install-npm: npm could not install the packages of $1 (see above)" >&2
            return 1
        fi
        chmod 755 "$partial"
        # Another run may have been quicker; what it has put there is the same.
        mv -T "$partial" "$kept" 2>/dev/null || rm -rf "$partial"
    fi
    echo "$kept"
}

pouchdb=$(fetched lab/couchdb)
ln -sfn "$pouchdb/node_modules" lab/couchdb/node_modules

assets=$(fetched services/assets)
mark=services/assets/node_modules/.from
if [[ ! -f $mark || $(<"$mark") != "$assets" ]]; then
    # A copy, not a link: image builds see nothing outside of the tree.
    rm -rf services/assets/node_modules
    cp -a "$assets/node_modules" services/assets/node_modules
    echo "$assets" >"$mark"
fi
