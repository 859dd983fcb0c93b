#!/bin/bash
# Install the packages that the lab and the tests need and this Debian or Ubuntu host lacks.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=requirements/steps.sh
. requirements/steps.sh

declare -A package_of=(
    [dockerd]=docker.io [iptables]=iptables [ip]=iproute2 [redis-server]=redis-server
    [debootstrap]=debootstrap [systemd-nspawn]=systemd-container [openssl]=openssl
    [nsenter]=util-linux [ps]=procps [curl]=curl [busybox]=busybox-static
    [influxd]=influxdb [npm]=npm [chromium]=chromium [wrk]=wrk
    [lego]=lego [pebble]=pebble
)

missing=()
for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || missing+=(libfaketime)
((${#missing[@]})) || exit 0

if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo "error: this host lacks ${missing[*]}" >&2
    echo "next:  run this command as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "this host lacks ${#missing[@]} packages that the lab and the tests need" >&2
export DEBIAN_FRONTEND=noninteractive
step "reading the package lists" apt-get update -q
wanted=() absent=()
for package in "${missing[@]}"; do
    if [[ -n $(apt-cache policy "$package" | sed -n 's/^  Candidate: (none)//;s/^  Candidate: //p') ]]; then
        wanted+=("$package")
    else
        absent+=("$package")
    fi
done
if ((${#absent[@]})); then
    echo "this release does not have these packages: ${absent[*]}; tests that need them will fail" >&2
fi
((${#wanted[@]})) || exit 0
step "installing ${wanted[*]} (only once; takes a few minutes)" \
    apt-get install -y -q --no-install-recommends "${wanted[@]}"
# The tests start their own servers, which need the ports that the packaged servers use.
for package in redis-server influxdb; do
    if [[ " ${wanted[*]} " == *" $package "* && -d /run/systemd/system ]]; then
        systemctl disable --now --quiet "$package.service"
    fi
done
