#!/bin/bash
# Like the official image's entry point: options alone are passed to redis-server, which never runs
# as root.
set -e
if [[ ${1-} == -* || ${1-} == *.conf ]]; then
    set -- redis-server "$@"
fi
if [[ ${1-} == redis-server ]]; then
    # The official image is built with protected mode off; Debian's is not.
    [[ " $* " == *" --protected-mode "* ]] || set -- "$@" --protected-mode no
    if (($(id -u) == 0)); then
        find . \! -user redis -exec chown redis:redis {} +
        exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
    fi
    umask 0077
fi
exec "$@"
