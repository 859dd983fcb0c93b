#!/bin/bash
# Builds the image in stages. Both the lab and the build on AWS run this script.
#
# All stages can be repeated. Run `clean` last: a later stage could leave an identity in the image
# that all instances would share. No stage may need a secret or leave a secret in the image.
set -Eeuo pipefail
trap 'echo "provision.sh: stage ${stage:-?} failed at line $LINENO: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=/opt/spotswarm
umask 022
# If PYTHONDONTWRITEBYTECODE were set, no bytecode would be written, and each start of the agent would
# take half a second longer.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# Debian 12, Debian 13 and Ubuntu. The leader runs redis-server as a child process, not as a service.
debian_packages=(
    ca-certificates curl dbus docker.io iproute2 iptables procps python3 python3-venv redis-server
    systemd systemd-sysv
)
# Amazon Linux 2023 has only Valkey or an older Redis, under other names: use a container there.
amazon_packages=(
    ca-certificates dbus docker iproute iptables-nft procps-ng python3.11 systemd
)

# Everything that identifies a machine, or that only its user may know. `clean` removes it. Two nodes
# with the same engine id or swarm state would be one node for Swarm. A used machine has secrets in
# its engine's volumes, in the folders of both daemons and in its users' homes.
identities=(
    /var/lib/docker/swarm /var/lib/docker/engine-id /etc/docker/key.json
    /var/lib/docker/network/files/local-kv.db
    /var/lib/docker/containers /var/lib/docker/volumes '/var/lib/docker/image/*/layerdb/mounts'
    /var/lib/spotswarm /run/spotswarm /var/lib/spotswarm-leader /run/spotswarm-leader
    '/etc/spotswarm/*' '/etc/spotswarm/.[!.]*' '/var/lib/redis/*'
    /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
    /etc/hostname '/etc/ssh/ssh_host_*'
    /var/lib/cloud/data /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem
    '/var/lib/dhcp/*' /var/lib/amazon/ssm
)
for home in /root '/home/*'; do
    for name in .ssh .docker .aws .config .cache .netrc .git-credentials .viminfo .lesshst \
        '.*_history'; do
        identities+=("$home/$name")
    done
done

usage() {
    cat <<'TEXT'
usage: provision.sh STAGE...
  engine            install the Docker engine, Python and network tools
  packages          install the locked packages into /opt/spotswarm, from the file
                    SPOTSWARM_REQUIREMENTS (default: ../requirements/image.txt); if
                    SPOTSWARM_WHEELHOUSE is set, install only from that directory
  images            pull the broker's image, SPOTSWARM_BROKER_IMAGE (default: redis:7), and
                    record its digest, so that every leader runs exactly this image
  harden            tighten the distribution's security settings and stop background upgrades
  spotswarm WHEEL   install our own code and its systemd units
  clean             remove everything that identifies this machine; run this stage last
  list-packages     print the Debian packages that `engine` installs, without installing them
  list-identities   print the patterns of the files that `clean` removes, without removing them
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
            echo "provision.sh: '$ID' is not supported; use Debian, Ubuntu or Amazon Linux 2023" >&2
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
    echo "provision.sh: Python 3.11 or later was not found; run the stage 'engine' first" >&2
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
        # Since Debian 13, the package docker.io contains only the daemon.
        command -v docker >/dev/null || apt-get install -y --no-install-recommends docker-cli
        systemctl disable redis-server.service
    else
        dnf install -y --setopt=install_weak_deps=False "${amazon_packages[@]}"
    fi
    systemctl enable docker.service
    # By default, the engine does not limit the size of container logs on disk.
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

images() {
    local name=${SPOTSWARM_BROKER_IMAGE:-redis:7} digest
    if booted; then systemctl start docker.service; fi
    docker pull --quiet "$name"
    digest=$(docker image inspect --format '{{index .RepoDigests 0}}' "$name")
    [[ $digest == *@sha256:* ]] || {
        echo "provision.sh: $name has no digest; pull it from a registry" >&2
        return 1
    }
    install -d -m 0755 /etc/spotswarm
    # The tag only tells people the version: the engine goes by the digest.
    printf '%s@%s\n' "${name%%@*}" "${digest##*@}" >/etc/spotswarm/broker-image
}

spotswarm() {
    local wheel=${1:?the stage spotswarm needs the path of our wheel} program unit
    "$prefix/bin/python" -m pip install --no-deps --no-index --force-reinstall \
        --disable-pip-version-check --no-cache-dir --quiet "$wheel"
    "$prefix/bin/python" -m compileall -q "$prefix"/lib/python3.*/site-packages
    for program in spotswarm spotswarm-agent spotswarm-leader; do
        [[ -x $prefix/bin/$program ]] || {
            echo "provision.sh: $wheel did not install $program; check that it is our wheel" >&2
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
    # A background upgrade would restart the engine of a running node. Upgrade the image instead.
    for unit in apt-daily.timer apt-daily-upgrade.timer dnf-makecache.timer dnf-automatic.timer \
        unattended-upgrades.service; do
        systemctl mask --quiet "$unit"
    done
    if [[ -d /etc/ssh ]]; then
        # Allow only keys for logins, because the instances have public addresses.
        install -d -m 0755 /etc/ssh/sshd_config.d
        printf '%s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' \
            'PermitRootLogin prohibit-password' 'X11Forwarding no' \
            >/etc/ssh/sshd_config.d/10-spotswarm.conf
    fi
    cat >/etc/sysctl.d/60-spotswarm.conf <<'CONF'
# Kernel addresses and messages only help attackers.
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
# Other machines in the subnet must not change our routes.
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv6.conf.all.accept_redirects = 0
# With many containers, an engine exceeds the default limits for watches and memory maps.
fs.inotify.max_user_instances = 8192
vm.max_map_count = 262144
# A swarm's overlay network has many neighbours, for which the default table is too small.
net.ipv4.neigh.default.gc_thresh1 = 4096
net.ipv4.neigh.default.gc_thresh2 = 8192
net.ipv4.neigh.default.gc_thresh3 = 16384
CONF
    # Limit the journal's size, because the disks are small.
    install -d -m 0755 /etc/systemd/journald.conf.d
    printf '[Journal]\nSystemMaxUse=200M\nRuntimeMaxUse=64M\n' \
        >/etc/systemd/journald.conf.d/60-spotswarm.conf
}

clean() {
    if booted; then
        systemctl stop spotswarm-leader.path spotswarm-leader.service spotswarm-agent.service \
            docker.socket docker.service containerd.service 2>/dev/null || true
    fi
    local pattern
    for pattern in "${identities[@]}"; do
        # The shell must expand the pattern.
        # shellcheck disable=SC2086
        rm -rf -- $pattern
    done
    # Keep an empty file: without it, systemd assumes a first boot and applies presets to all units.
    : >/etc/machine-id
    if command -v cloud-init >/dev/null; then cloud-init clean --logs; fi
    if command -v apt-get >/dev/null; then apt-get clean; fi
    if command -v dnf >/dev/null; then dnf clean all --quiet; fi
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/dnf
    find /var/log -type f -delete
    # Otherwise the build machine's journal would appear to be the instance's journal.
    rm -rf /var/log/journal/*
    # Keep the directories themselves and their sticky bits.
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
if [[ $1 == list-identities ]]; then
    printf '%s\n' "${identities[@]}"
    exit
fi
((EUID == 0)) || {
    echo "provision.sh: root is required; run this script as root on the machine to be imaged" >&2
    exit 1
}
while (($#)); do
    stage=$1
    shift
    case $stage in
        engine | packages | images | harden | clean) "$stage" ;;
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
