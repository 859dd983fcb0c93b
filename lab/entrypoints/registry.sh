#!/bin/bash
# Like the official image's entry point: a configuration file alone is passed to the registry.
set -e
case "${1-}" in
    *.yaml | *.yml) set -- registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
