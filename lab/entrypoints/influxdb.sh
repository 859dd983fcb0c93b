#!/bin/bash
# Like the official 1.8 image's entry point: the first start creates the users and the database that
# the environment variables specify.
set -e
if [[ ${1-} == -* ]]; then
    set -- influxd "$@"
fi
quoted() { # TEXT: escape a string for InfluxQL
    local text=${1//\\/\\\\}
    printf '%s' "${text//\'/\\\'}"
}
create() {
    local admin=${INFLUXDB_ADMIN_USER-} database=${INFLUXDB_DB-} user=${INFLUXDB_USER-}
    if [[ -n $admin ]]; then
        echo "CREATE USER \"$admin\" WITH PASSWORD '$(quoted "${INFLUXDB_ADMIN_PASSWORD-}")' WITH ALL PRIVILEGES"
    fi
    if [[ -n $database ]]; then
        echo "CREATE DATABASE \"$database\""
    fi
    if [[ -n $user ]]; then
        echo "CREATE USER \"$user\" WITH PASSWORD '$(quoted "${INFLUXDB_USER_PASSWORD-}")'"
        [[ -z $database ]] || echo "GRANT ALL ON \"$database\" TO \"$user\""
    fi
}
if [[ ${1-} == influxd && ! -f ${INFLUXDB_META_DIR:-/var/lib/influxdb/meta}/meta.db ]]; then
    statements=$(create)
    if [[ -n $statements ]]; then
        INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8086 INFLUXDB_HTTP_AUTH_ENABLED=false "$@" &
        first=$!
        for ((i = 0; i < 300; i++)); do
            influx -execute 'SHOW DATABASES' >/dev/null 2>&1 && break
            sleep 0.1
        done
        # Use standard input, because any user can list the arguments of processes.
        while read -r statement; do
            influx <<<"$statement" >/dev/null
        done <<<"$statements"
        kill -s TERM "$first"
        wait "$first" || true
    fi
fi
exec "$@"
