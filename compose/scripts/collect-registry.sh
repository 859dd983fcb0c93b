#!/bin/sh
# Deletes the registry's blobs that no image needs. Run it on a manager.
#
#     compose/scripts/collect-registry.sh [--delete-untagged]
#
# --delete-untagged   also delete images that have no tag
#
# Rule: no registry may accept a push during the collection, because the collection would delete
# the blobs of an image that is only half there. So all registries are read-only until it has ended.
# Whatever ends this script makes them writable again; only kill -9 does not. A second run, or
# `spotswarm deploy edge`, then does so.
#
# dash runs no EXIT trap when a signal ends it, so each signal has a trap of its own. `setsid` keeps
# Ctrl-C away from the collection, which would continue in its container after its client.
set -eu
service=${SERVICE:-edge_registry}
read_only='REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled": true}'
undo="docker service update --env-rm REGISTRY_STORAGE_MAINTENANCE_READONLY $service"

case "${1-}" in
    "" | --delete-untagged) ;;
    *)
        echo "usage: collect-registry.sh [--delete-untagged]" >&2
        exit 2
        ;;
esac

update() { # OPTION...: change the service on all nodes; fail if Swarm did not do so
    setsid -w docker service update --quiet "$@" "$service" >/dev/null || return 1
    state='{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}'
    [ "$(docker service inspect --format "$state" "$service")" = completed ]
}

finish() { # STATUS: make the registry writable, whatever ended this script
    # A second signal must not leave the registry read-only.
    trap '' HUP INT TERM
    trap - EXIT
    tries=0
    until update --env-rm REGISTRY_STORAGE_MAINTENANCE_READONLY; do
        tries=$((tries + 1))
        if [ "$tries" -ge "${TRIES:-20}" ]; then
            echo "the registry is still read-only; run on a manager: $undo" >&2
            exit 1
        fi
        sleep "${PAUSE:-3}"
    done
    echo "the registry accepts pushes again"
    exit "$1"
}

container=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$service" | head -n 1)
if [ -z "$container" ]; then
    echo "no task of $service runs on this machine; run this on a node where one runs" >&2
    exit 1
fi
trap 'finish $?' EXIT
trap 'finish 129' HUP
trap 'finish 130' INT
trap 'finish 143' TERM

echo "making the registry read-only on all nodes"
if ! update --env-add "$read_only"; then
    echo "the registry is not read-only on all nodes; nothing was deleted" >&2
    exit 1
fi
# The update replaced the container.
container=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$service" | head -n 1)
setsid -w docker exec "$container" registry garbage-collect "$@" /etc/docker/registry/config.yml
