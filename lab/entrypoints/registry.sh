#!/bin/bash
# Like the official image's: a bare configuration file is the registry's argument.
set -e
case "${1-}" in
    *.yaml | *.yml) set -- registry serve "$@" ;;
    serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
