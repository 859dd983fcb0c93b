"""Generates the text of the broker's configuration files: redis.conf and the ACL file.

Rule: keep the ACL strict, because the passwords and the ACL are the broker's only protection.
tests/contract/test_broker_acl.py checks the agent's access to every command and key. An agent
cannot run XADD or DEL, and can read only the heartbeat and the reply lists whose names it knows.
"""

import hashlib
from typing import Final

from wire import keys
from wire.cluster_secrets import ClusterSecrets

LEADER_USER: Final = "leader"
AGENT_USER: Final = "agent"
MOST_CLIENTS: Final = 4000
"""An agent is connected only while it sends a message and waits for the reply."""
_MEMORY_MB: Final = 256
_CLIENTS_MB: Final = 192
CONTAINER_MB: Final = 576
"""Memory of the broker's container: what Redis counts, and 70 KB of TLS for each client."""


def redis_conf(*, port: int, bind: str, directory: str) -> str:
    """Return the text of redis.conf; `directory` is the path where Redis finds its other files.

    The eviction policy is noeviction, because evicting keys would lose requests and replies at
    random. The output buffer limit is larger than any request. The query buffer limit is the
    lowest that Redis allows, which is far above MAX_SEALED_BYTES. A new connection needs about
    35 KB of `maxmemory` for some seconds, and as much again for TLS, which `maxmemory` does not
    count.
    """
    return "\n".join(
        (
            f"bind {bind}",
            "protected-mode no",
            "port 0",
            f"tls-port {port}",
            "tcp-backlog 4096",
            f"tls-cert-file {directory}/broker.crt",
            f"tls-key-file {directory}/broker.key",
            f"tls-ca-cert-file {directory}/ca.crt",
            "tls-auth-clients no",
            'tls-protocols "TLSv1.2 TLSv1.3"',
            f"aclfile {directory}/users.acl",
            "acllog-max-len 128",
            'save ""',
            "appendonly no",
            "dir /tmp",
            "daemonize no",
            'logfile ""',
            "databases 1",
            f"maxmemory {_MEMORY_MB}mb",
            "maxmemory-policy noeviction",
            f"maxmemory-clients {_CLIENTS_MB}mb",
            f"maxclients {MOST_CLIENTS}",
            "timeout 60",
            "tcp-keepalive 30",
            "client-output-buffer-limit normal 8mb 4mb 10",
            "client-query-buffer-limit 1mb",
            "enable-debug-command no",
            "enable-module-command no",
            "",
        )
    )


def users_acl(cluster: str, secrets: ClusterSecrets) -> str:
    """Return the text of the ACL file, which stores the passwords as hashes."""
    requests, replies = keys.requests(cluster), keys.reply_prefix(cluster)
    reports, heartbeat = keys.reports(cluster), keys.heartbeat(cluster)
    nothing = "resetkeys resetchannels -@all +hello +ping +quit"
    leader = _hash(secrets.leader_password.get_secret_value())
    agent = _hash(secrets.agent_password.get_secret_value())
    leader_may = (
        f"+client|list +client|kill (~{requests} ~{reports} +blpop +lpop +ltrim +llen)"
        f" (~{replies}* +rpush +expire) (~{heartbeat} +set)"
    )
    agent_may = f"(%W~{requests} %W~{reports} +rpush) (%RW~{replies}* +blpop) (%R~{heartbeat} +get)"
    return (
        "user default off\n"
        f"user {LEADER_USER} on #{leader} {nothing} {leader_may}\n"
        f"user {AGENT_USER} on #{agent} {nothing} {agent_may}\n"
    )


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
