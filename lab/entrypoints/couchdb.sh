#!/bin/bash
# The entry point, at the same path as in the official image. The server does not run as root.
set -e
if [[ ${1-} == /opt/couchdb/bin/couchdb || ${1-} == couchdb ]]; then
    shift
    set -- node /opt/couchdb/server.js "$@"
    if (($(id -u) == 0)); then
        find /opt/couchdb/data \! -user couchdb -exec chown couchdb:couchdb {} +
        set -- setpriv --reuid=couchdb --regid=couchdb --clear-groups -- "$@"
    fi
fi
exec "$@"
