#!/bin/bash
# Install the locked npm packages: the assets of pages (services/assets), and the lab's substitute
# for CouchDB (lab/couchdb). It fetches each once per lock file into the lab's cache, which outlives
# clones.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=requirements/steps.sh
. requirements/steps.sh
cache=${SPOTSWARM_LAB_CACHE:-/var/cache/spotswarm-lab}

tree_of() { # DIRECTORY: prints the path of the cached tree of its packages
    echo "$cache/npm-$(cat "$1/package.json" "$1/package-lock.json" | sha256sum | cut -c1-16)"
}

install_locked() { # DIRECTORY: fills the copy of package.json and its lock there
    # No install scripts: the packages contain prebuilt parts, and no others need scripts.
    cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error
}

provide() { # DIRECTORY: makes sure that the tree of its packages is in the cache
    local tree partial
    tree=$(tree_of "$1")
    [[ ! -d $tree ]] || return 0
    if ! command -v npm >/dev/null; then
        echo "error: npm is missing, and $tree with the packages of $1 does not exist" >&2
        echo "next:  apt-get install npm, then run the same command again" >&2
        return 1
    fi
    mkdir -p "$cache"
    partial=$(mktemp -d "$cache/npm-partial.XXXXXX")
    cp "$1"/package.json "$1"/package-lock.json "$partial"
    if ! step "installing the npm packages of $1 (once; minutes)" install_locked "$partial"; then
        rm -rf "$partial"
        return 1
    fi
    chmod 755 "$partial"
    # Another run may have finished first; its tree is the same.
    mv -T "$partial" "$tree" 2>/dev/null || rm -rf "$partial"
}

provide lab/couchdb
ln -sfn "$(tree_of lab/couchdb)/node_modules" lab/couchdb/node_modules

provide services/assets
assets=$(tree_of services/assets)
mark=services/assets/node_modules/.from
if [[ ! -f $mark || $(<"$mark") != "$assets" ]]; then
    # A copy instead of a link: image builds see only files of the tree.
    rm -rf services/assets/node_modules
    cp -a "$assets/node_modules" services/assets/node_modules
    echo "$assets" >"$mark"
fi
