"""Names of things, kept apart by type: a node's id is no instance's."""

from typing import Literal, NewType

NodeId = NewType("NodeId", str)
InstanceId = NewType("InstanceId", str)
ServiceId = NewType("ServiceId", str)
TaskId = NewType("TaskId", str)
Lifecycle = Literal["spot", "on-demand"]
