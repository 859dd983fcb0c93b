#!/bin/sh
# Copies the site's certificate to this machine whenever it is another one. Traefik watches TO.
set -eu
umask 077
trap 'exit 0' TERM INT
while :; do
    if [ -s "$FROM/site.crt" ] && [ -s "$FROM/site.key" ] &&
        ! { cmp -s "$FROM/site.crt" "$TO/site.crt" && cmp -s "$FROM/site.key" "$TO/site.key"; }; then
        cp "$FROM/site.key" "$TO/site.key"
        cp "$FROM/site.crt" "$TO/site.crt"
        # Last, and by a rename: what makes Traefik look finds both.
        cat >"$TO/.certificates.new" <<EOF
tls:
  certificates:
    - {certFile: $TO/site.crt, keyFile: $TO/site.key}
EOF
        mv "$TO/.certificates.new" "$TO/certificates.yml"
        echo "certificate copied"
    fi
    if [ "${COPY_ONCE:-}" = 1 ]; then exit 0; fi
    sleep 60 &
    wait $! || true
done
