#!/bin/sh
# Copies the site's certificate from FROM to this machine's folder TO whenever the certificate
# changes. Traefik watches TO.
set -eu
umask 077
trap 'exit 0' TERM INT
while :; do
    if [ -s "$FROM/site.pem" ] && ! cmp -s "$FROM/site.pem" "$TO/site.pem"; then
        cp "$FROM/site.pem" "$TO/.site.pem.new"
        mv "$TO/.site.pem.new" "$TO/site.pem"
        # Write this file last and rename it into place, because Traefik reloads when it changes.
        cat >"$TO/.certificates.new" <<EOF
tls:
  certificates:
    - {certFile: $TO/site.pem, keyFile: $TO/site.pem}
EOF
        mv "$TO/.certificates.new" "$TO/certificates.yml"
        echo "copied the certificate"
    fi
    if [ "${COPY_ONCE:-}" = 1 ]; then exit 0; fi
    sleep 60 &
    wait $! || true
done
