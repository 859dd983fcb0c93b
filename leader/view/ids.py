"""Ids, kept apart by type so that a node's id is never passed as an instance's.

A subject names what an action works on; the view keys actions in flight and setbacks by it.
"""

from typing import Final, Literal, NewType

NodeId = NewType("NodeId", str)
InstanceId = NewType("InstanceId", str)
ServiceId = NewType("ServiceId", str)
TaskId = NewType("TaskId", str)
Lifecycle = Literal["spot", "on-demand"]


NODE_SUBJECT: Final = "node "
SERVICE_SUBJECT: Final = "service "


def node_subject(node: NodeId) -> str:
    """The subject of actions on a node."""
    return f"{NODE_SUBJECT}{node}"


def service_subject(service: ServiceId) -> str:
    """The subject of actions on a service."""
    return f"{SERVICE_SUBJECT}{service}"
