"""A stand-in for the AWS calls the leader makes, in AWS's own names: EC2, SQS and SSM."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

Document = dict[str, Any]


def instance(name: str, number: int, *, role: str = "worker", state: str = "running") -> Document:
    """An instance as DescribeInstances shows it."""
    document: Document = {
        "InstanceId": name,
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": f"eu-central-1{'abc'[number % 3]}"},
        "InstanceType": "t3.small",
        "PrivateIpAddress": f"10.0.0.{number}",
        "LaunchTime": datetime(2026, 11, 23, 17, 0, tzinfo=UTC),
        "Tags": [
            {"Key": "spotswarm:cluster", "Value": "demo"},
            {"Key": "spotswarm:role", "Value": role},
        ],
    }
    return document | ({"InstanceLifecycle": "spot"} if role == "worker" else {})


class Cloud:
    """Takes the place of the leader's AWS session and keeps every call."""

    def __init__(self) -> None:
        self.instances: dict[str, Document] = {}
        self.parameters: dict[str, str] = {}
        self.requests: list[Document] = []
        self.ec2 = SimpleNamespace(
            get_paginator=self._pages_of,
            describe_instances=self._describe,
            terminate_instances=self._terminate,
            get_console_output=self._answering("GetConsoleOutput", {"Output": "booted"}),
        )
        self.sqs = SimpleNamespace(delete_message_batch=self._answering("DeleteMessageBatch", {}))
        self.ssm = SimpleNamespace(get_parameter=self._parameter, put_parameter=self._put)

    async def call(
        self, _attempt: str, function: Callable[..., Any], *args: Any, **said: Any
    ) -> Any:
        return function(*args, **said)

    def _answering(self, name: str, answer: Document) -> Callable[..., Document]:
        def answering(**said: Any) -> Document:
            self.requests.append({"call": name} | said)
            return answer

        return answering

    def _pages_of(self, call: str) -> Any:
        assert call == "describe_instances"
        return SimpleNamespace(paginate=lambda **said: [self._describe(**said)])

    def _describe(self, **said: Any) -> Document:
        self.requests.append({"call": "DescribeInstances"} | said)
        return {"Reservations": [{"Instances": list(self.instances.values())}]}

    def _terminate(self, **said: Any) -> Document:
        self.requests.append({"call": "TerminateInstances"} | said)
        for name in said["InstanceIds"]:
            self.instances.pop(name, None)
        return {}

    def _parameter(self, **said: Any) -> Document:
        return {"Parameter": {"Value": self.parameters[said["Name"]]}}

    def _put(self, **said: Any) -> Document:
        self.requests.append({"call": "PutParameter"} | said)
        self.parameters[said["Name"]] = said["Value"]
        return {}
