#!/bin/sh
# Starts Redis. First removes zeros from the ends of its append-only files.
#
# DATA is Redis's folder. PASSWORD_FILE contains the password, which is never an argument or a
# variable that others could read.
#
# If a machine loses power, the file system may have made a file longer without having written the
# new block: the file then ends with zero bytes. Redis does not start with such a file, although it
# repairs one that ends too early (`aof-load-truncated`). Rule: remove only zeros at the very end. A
# whole command ends with a line break, so no command that Redis has confirmed is lost
# (`appendfsync always`). Redis still refuses any other damage, which a person must look at.
set -eu
umask 077
DATA=${DATA:-/data}
PASSWORD_FILE=${PASSWORD_FILE:-/run/secrets/redis_password}

all_zeros() { # FILE COUNT: whether the last COUNT bytes are all zero
    [ "$(tail -c "$2" "$1" | tr -d '\000' | head -c 1 | wc -c)" -eq 0 ]
}

zeros_at_end() { # FILE SIZE: print how many zeros the file ends with
    low=0
    high=1
    # The last `low` bytes are zeros. Double `high` until the last `high` bytes are not.
    while [ "$high" -le "$2" ] && all_zeros "$1" "$high"; do
        low=$high
        high=$((high * 2))
    done
    if [ "$high" -gt "$2" ]; then high=$(($2 + 1)); fi
    while [ $((high - low)) -gt 1 ]; do
        middle=$(((low + high) / 2))
        if all_zeros "$1" "$middle"; then low=$middle; else high=$middle; fi
    done
    echo "$low"
}

for file in "$DATA"/appendonlydir/*.incr.aof; do
    [ -f "$file" ] || continue
    size=$(wc -c <"$file")
    zeros=$(zeros_at_end "$file" "$size")
    if [ "$zeros" -gt 0 ]; then
        copy=$DATA/damaged/$(basename "$file")-$(date -u +%Y%m%dT%H%M%SZ)
        mkdir -p "$DATA/damaged"
        cp -p "$file" "$copy"
        truncate -s $((size - zeros)) "$file"
        sync "$file"
        echo "removed $zeros zeros from the end of $file; the file as it was is $copy" >&2
    fi
done

exec docker-entrypoint.sh redis-server - --appendonly yes --appendfsync always <<EOT
requirepass $(cat "$PASSWORD_FILE")
EOT
