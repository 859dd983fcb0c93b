#!/bin/bash
# Builds the image, stage by stage. The lab and the build on AWS both run this file.
#
# Every stage can be repeated. `clean` comes last: anything that runs after it may leave an identity
# in the image that all instances would share. No stage may need a secret or leave one behind.
set -Eeuo pipefail
trap 'echo "provision.sh: stage ${stage:-?} failed at line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=/opt/spotswarm
umask 022
# If these were inherited, there would be no bytecode, and every agent start would take half a
# second longer.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# Debian 12, Debian 13 and Ubuntu. The redis server is the broker's: a child of the leader, never a service.
debian_packages=(
    ca-certificates curl dbus docker.io iproute2 iptables procps python3 python3-venv redis-server
    systemd systemd-sysv
)
# Amazon Linux 2023 has Valkey, or an older Redis, under other names: use a container there.
amazon_packages=(
    ca-certificates dbus docker iproute iptables-nft procps-ng python3.11 systemd
)

usage() {
    cat <<'TEXT'
usage: provision.sh STAGE...
  engine            Docker engine, Python, network tools
  packages          /opt/spotswarm with the locked requirements (SPOTSWARM_REQUIREMENTS, default
                    ../requirements/image.txt; SPOTSWARM_WHEELHOUSE=DIR installs from DIR alone)
  harden            close what a fresh distribution leaves open, and stop background upgrades
  spotswarm WHEEL   our own code and its units
  clean             remove everything that identifies this machine; the last stage
  list-packages     print the Debian packages of `engine` and do nothing
TEXT
}

family() {
    local ID='' ID_LIKE=''
    # shellcheck source=/dev/null
    . /etc/os-release
    case " $ID $ID_LIKE " in
        *' debian '*) echo debian ;;
        *' amzn '* | *' fedora '*) echo amazon ;;
        *)
            echo "provision.sh: '$ID' is neither Debian, Ubuntu nor Amazon Linux 2023" >&2
            return 1
            ;;
    esac
}

booted() { [[ -d /run/systemd/system ]]; }

python_of_image() {
    local candidate
    for candidate in python3.11 python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$candidate"
            return
        fi
    done
    echo "provision.sh: no Python 3.11 or newer; run the stage 'engine' first" >&2
    return 1
}

engine() {
    local missing=() name
    if [[ $(family) == debian ]]; then
        for name in "${debian_packages[@]}"; do
            dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' ||
                missing+=("$name")
        done
        if ((${#missing[@]})); then
            apt-get update
            apt-get install -y --no-install-recommends "${missing[@]}"
        fi
        # Since Debian 13 the package docker.io has the daemon alone.
        command -v docker >/dev/null || apt-get install -y --no-install-recommends docker-cli
        systemctl disable redis-server.service
    else
        dnf install -y --setopt=install_weak_deps=False "${amazon_packages[@]}"
    fi
    systemctl enable docker.service
    # By default the engine writes the logs of containers to disk without any limit.
    mkdir -p /etc/docker
    [[ -e /etc/docker/daemon.json ]] || cat >/etc/docker/daemon.json <<'JSON'
{
  "log-driver": "json-file",
  "log-opts": {"max-size": "20m", "max-file": "3"}
}
JSON
}

packages() {
    local requirements=${SPOTSWARM_REQUIREMENTS:-$here/../requirements/image.txt}
    local options=(--require-hashes --no-deps --disable-pip-version-check --no-cache-dir --quiet)
    if [[ -n ${SPOTSWARM_WHEELHOUSE:-} ]]; then
        options+=(--no-index --find-links "$SPOTSWARM_WHEELHOUSE")
    fi
    [[ -x $prefix/bin/python ]] || "$(python_of_image)" -m venv "$prefix"
    "$prefix/bin/python" -m pip install "${options[@]}" -r "$requirements"
}

spotswarm() {
    local wheel=${1:?spotswarm needs the path of our wheel} program unit
    "$prefix/bin/python" -m pip install --no-deps --no-index --force-reinstall \
        --disable-pip-version-check --no-cache-dir --quiet "$wheel"
    "$prefix/bin/python" -m compileall -q "$prefix"/lib/python3.*/site-packages
    for program in spotswarm spotswarm-agent spotswarm-leader; do
        [[ -x $prefix/bin/$program ]] || {
            echo "provision.sh: $wheel installs no $program" >&2
            return 1
        }
        ln -sfn "$prefix/bin/$program" "/usr/local/bin/$program"
    done
    install -d -m 0755 /etc/spotswarm
    for unit in "$here"/units/*; do
        install -D -m 0644 -t /usr/local/lib/systemd/system "$unit"
    done
    if booted; then systemctl daemon-reload; fi
    systemctl enable spotswarm-agent.service spotswarm-leader.path
}

harden() {
    local unit
    # An upgrade in the background would restart the engine of a node in service. Upgrade the image.
    for unit in apt-daily.timer apt-daily-upgrade.timer dnf-makecache.timer dnf-automatic.timer \
        unattended-upgrades.service; do
        systemctl mask --quiet "$unit"
    done
    if [[ -d /etc/ssh ]]; then
        # Keys only: the instances have public addresses.
        install -d -m 0755 /etc/ssh/sshd_config.d
        printf '%s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' \
            'PermitRootLogin prohibit-password' 'X11Forwarding no' \
            >/etc/ssh/sshd_config.d/10-spotswarm.conf
    fi
    cat >/etc/sysctl.d/60-spotswarm.conf <<'CONF'
# Kernel addresses and messages help only an attacker.
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
# A neighbour in the subnet must not change our routes.
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv6.conf.all.accept_redirects = 0
# An engine with many containers exceeds the default limits for watches and memory maps.
fs.inotify.max_user_instances = 8192
vm.max_map_count = 262144
# Swarm's overlay network has many neighbours; the default table is too small.
net.ipv4.neigh.default.gc_thresh1 = 4096
net.ipv4.neigh.default.gc_thresh2 = 8192
net.ipv4.neigh.default.gc_thresh3 = 16384
CONF
    # The disks are small; the journal must not fill them.
    install -d -m 0755 /etc/systemd/journald.conf.d
    printf '[Journal]\nSystemMaxUse=200M\nRuntimeMaxUse=64M\n' \
        >/etc/systemd/journald.conf.d/60-spotswarm.conf
}

clean() {
    if booted; then
        systemctl stop spotswarm-leader.path spotswarm-leader.service spotswarm-agent.service \
            docker.socket docker.service containerd.service 2>/dev/null || true
    fi
    # Swarm takes two nodes with the same engine id or swarm state for one node.
    rm -rf /var/lib/docker/swarm /var/lib/docker/engine-id /etc/docker/key.json \
        /var/lib/docker/network/files/local-kv.db /var/lib/spotswarm /run/spotswarm
    # Empty, not absent: without the file systemd assumes a first boot and presets every unit.
    : >/etc/machine-id
    rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/hostname
    rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
    if command -v cloud-init >/dev/null; then cloud-init clean --logs; fi
    rm -rf /var/lib/cloud/{data,instance,instances,sem} /var/lib/dhcp/* /var/lib/amazon/ssm
    if command -v apt-get >/dev/null; then apt-get clean; fi
    if command -v dnf >/dev/null; then dnf clean all --quiet; fi
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/dnf /root/.cache /root/.bash_history
    find /var/log -type f -delete
    # Otherwise the build machine's journal would appear as the instance's own.
    rm -rf /var/log/journal/*
    # Keep the directories themselves, with their sticky bit.
    find /tmp /var/tmp -mindepth 1 -delete
}

(($#)) || {
    usage >&2
    exit 2
}
if [[ $1 == list-packages ]]; then
    echo "${debian_packages[@]}"
    exit
fi
((EUID == 0)) || {
    echo "provision.sh: run it as root, on the machine that becomes the image" >&2
    exit 1
}
while (($#)); do
    stage=$1
    shift
    case $stage in
        engine | packages | harden | clean) "$stage" ;;
        spotswarm)
            spotswarm "${1:-}"
            shift
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
done
