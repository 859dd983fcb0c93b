"""Id types for nodes, instances, services and tasks, and functions that build subjects.

A subject is a string that identifies what an action changes. The view uses subjects as keys for
actions that are in flight or have failed.
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
    """Return the subject of all actions that change this node."""
    return f"{NODE_SUBJECT}{node}"


def service_subject(service: ServiceId) -> str:
    """Return the subject of all actions that change this service."""
    return f"{SERVICE_SUBJECT}{service}"
