#!/bin/sh
# A copy of each store, again and again, and the oldest ones removed.
#
# BACKUPS where to, EVERY_SECONDS how often, KEEP how many; the stores' volumes are below /stores.
#
# Redis gives a snapshot of one moment by itself. CouchDB's files are only ever added to, and may be
# copied while it writes. InfluxDB's are copied as they are: usage of the last seconds may be cut.
set -eu
umask 077
PASSWORD_FILE=${PASSWORD_FILE:-/run/secrets/redis_password}

packed() { # NAME, what to call it
    tries=0
    while :; do
        status=0
        # 1: a file grew meanwhile, which is expected. 2: one vanished; the next try has its heir.
        tar -C "/stores/$1" -czf "$2.new" . || status=$?
        if [ "$status" -le 1 ]; then mv "$2.new" "$2"; return 0; fi
        tries=$((tries + 1))
        if [ "$tries" -ge 3 ]; then rm -f "$2.new"; return 1; fi
        sleep 1
    done
}

pruned() { # NAME
    # Names are times, so that their order is that of age.
    find "$BACKUPS/$1" -name "$1-*" ! -name "*.new" | sort -r | tail -n "+$((KEEP + 1))" |
        while read -r old; do rm -f "$old"; done
    rm -f "$BACKUPS/$1"/*.new
}

all() {
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
            packed "$name" "$target.tar.gz" || failed="$failed $name"
        fi
        case "$failed" in *"$name"*) ;; *) pruned "$name" && echo "saved $name-$at" ;; esac
    done
    if [ -n "$failed" ]; then echo "not saved:$failed" >&2; return 1; fi
}

trap 'exit 0' TERM INT
while :; do
    if (all); then wait_for=$EVERY_SECONDS; else wait_for=300; fi
    if [ "${BACKUP_ONCE:-}" = 1 ]; then [ "$wait_for" != 300 ]; exit; fi
    sleep "$wait_for" &
    wait $! || true
done
