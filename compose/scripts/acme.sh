#!/bin/sh
# Orders and renews the site's certificate by DNS, and stores it for the managers to copy.
#
# DOMAIN, ACME_EMAIL, ACME_SERVER   the domain, the account, and the ACME server
# ACME_DNS                          lego's name for the DNS provider, with lego's own variables
# STORE                             folder for the account, the certificate and the key
#
# Only one instance of this script may run at a time. The script checks twice a day whether a
# renewal is due. After a failure it waits for an hour, because Let's Encrypt limits failures.
set -eu
umask 077
every=${ACME_EVERY_SECONDS:-43200}
pause=${ACME_PAUSE_SECONDS:-3600}
# In lego's image, the program is in /, which is not in PATH.
command -v lego >/dev/null || PATH=$PATH:/
# Each ACME server has its own account and certificates.
home=$STORE/lego/$(printf %s "${ACME_SERVER:-default}" | tr -c 'A-Za-z0-9.-' _)

once() {
    set -- --accept-tos --email "$ACME_EMAIL" --path "$home" --dns "$ACME_DNS" \
        --domains "$DOMAIN" --domains "*.$DOMAIN"
    if [ -n "${ACME_SERVER:-}" ]; then set -- "$@" --server "$ACME_SERVER"; fi
    if [ -n "${ACME_RESOLVERS:-}" ]; then set -- "$@" --dns.resolvers "$ACME_RESOLVERS"; fi
    if [ -n "${ACME_DNS_DISABLE_CP:-}" ]; then set -- "$@" --dns.disable-cp; fi
    certificate="$home/certificates/$DOMAIN"
    if [ -f "$certificate.crt" ]; then
        lego "$@" renew --days "${ACME_DAYS:-30}" --no-random-sleep || return 1
    else
        lego "$@" run || return 1
    fi
    # Rename a single file into place, so that readers always get a key with its certificate.
    cat "$certificate.crt" "$certificate.key" >"$STORE/site.pem.new" &&
        mv "$STORE/site.pem.new" "$STORE/site.pem"
}

trap 'exit 0' TERM INT
while :; do
    if (once); then wait_for=$every; else wait_for=$pause; fi
    if [ "${ACME_ONCE:-}" = 1 ]; then [ "$wait_for" = "$every" ]; exit; fi
    sleep "$wait_for" &
    wait $! || true
done
