#!/usr/bin/env bash
# What the lab and the tests need of the host, installed by name on Debian and Ubuntu.
set -euo pipefail
packages=(
    ca-certificates debootstrap docker.io faketime iproute2 iptables openssl procps python3
    python3-venv redis-server systemd-container util-linux
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "lab: root is needed to install ${missing[*]}" >&2
    echo "next: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "lab: this is no Debian or Ubuntu; install by hand: ${missing[*]}" >&2
    exit 1
fi
echo "lab: installing ${missing[*]}"
# A package that starts a service must not start one here: the lab runs its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
