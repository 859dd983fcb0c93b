"""Reads Redis's list of connections.

https://redis.io/docs/latest/commands/client-list/
"""

from collections.abc import Sequence

from leader.edges.broker.configuration import AGENT_USER, LEADER_USER
from leader.joining.visitors import Visitor


def parse(listed: str) -> Sequence[Visitor]:
    """Return the connections in an answer to CLIENT LIST, except those of the leader's user.

    Lines without the necessary fields are skipped, and unknown fields are ignored.
    """
    visitors = []
    for line in listed.splitlines():
        fields = dict(part.partition("=")[::2] for part in line.split())
        if fields.get("user") == LEADER_USER or not fields.get("id", "").isdecimal():
            continue
        age = fields.get("age", "")
        visitors.append(
            Visitor(
                id=int(fields["id"]),
                address=fields.get("addr", "").rpartition(":")[0].strip("[]"),
                age_seconds=int(age) if age.isdecimal() else 0,
                is_logged_in=fields.get("user") == AGENT_USER,
                is_waiting="b" in fields.get("flags", ""),
            )
        )
    return visitors
