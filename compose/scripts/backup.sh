#!/bin/sh
# Copies each store at intervals and removes the oldest copies.
#
# BACKUPS is the folder for the copies, EVERY_SECONDS is the interval, and KEEP is the number of
# copies to keep. The stores' volumes are below /stores.
#
# Redis provides a consistent snapshot. CouchDB only appends to its files, so they can be copied
# while CouchDB is writing. InfluxDB's files are copied without a snapshot, so the last few seconds
# of usage data may be missing.
set -eu
umask 077
PASSWORD_FILE=${PASSWORD_FILE:-/run/secrets/redis_password}

pack() { # NAME PATH: copy a volume to an archive
    tries=0
    while :; do
        status=0
        # 1: a file grew while it was being copied, which is expected. 2: a file was replaced, so
        # try again.
        tar -C "/stores/$1" -czf "$2.new" . || status=$?
        if [ "$status" -le 1 ]; then mv "$2.new" "$2"; return 0; fi
        tries=$((tries + 1))
        if [ "$tries" -ge 3 ]; then rm -f "$2.new"; return 1; fi
        sleep 1
    done
}

prune() { # NAME: remove the oldest copies
    # The names contain times, so they sort by age.
    find "$BACKUPS/$1" -name "$1-*" ! -name "*.new" | sort -r | tail -n "+$((KEEP + 1))" |
        while read -r old; do rm -f "$old"; done
    rm -f "$BACKUPS/$1"/*.new
}

back_up() {
    failed=""
    at=$(date -u +%Y%m%dT%H%M%SZ)
    for name in $STORES; do
        mkdir -p "$BACKUPS/$name"
        target="$BACKUPS/$name/$name-$at"
        if [ "$name" = redis ]; then
            REDISCLI_AUTH=$(cat "$PASSWORD_FILE") redis-cli -h "${REDIS_HOST:-redis}" \
                -p "${REDIS_PORT:-6379}" --rdb "$target.rdb.new" >/dev/null &&
                mv "$target.rdb.new" "$target.rdb" || failed="$failed $name"
        else
            pack "$name" "$target.tar.gz" || failed="$failed $name"
        fi
        case "$failed" in *"$name"*) ;; *) prune "$name" && echo "saved $name-$at" ;; esac
    done
    if [ -n "$failed" ]; then echo "could not save:$failed" >&2; return 1; fi
}

trap 'exit 0' TERM INT
while :; do
    if (back_up); then wait_for=$EVERY_SECONDS; else wait_for=300; fi
    if [ "${BACKUP_ONCE:-}" = 1 ]; then [ "$wait_for" != 300 ]; exit; fi
    sleep "$wait_for" &
    wait $! || true
done
