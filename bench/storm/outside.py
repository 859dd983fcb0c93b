"""What the leader talks to: AWS, which checks signatures, and an engine that is only a list.

Runs as a process of its own, so that it does not count as the leader's time and memory. It prints a
JSON line when it is ready, and for each node that the leader pauses.
"""

import argparse
import asyncio
import hmac
import json
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.storm import people
from runtime import clock

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/([a-z0-9]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_CREATED: Final = "2026-11-30T00:00:00.000000000Z"
_EC2: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"
_STS: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


class Cloud:
    """STS and EC2. STS accepts a call only if its signature is right."""

    def application(self) -> web.Application:
        """Return the web application for all of AWS."""
        app = web.Application()
        app.router.add_post("/", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        key = _signer(request, body)
        if key is None:
            return _xml(
                "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
                status=403,
            )
        form = parse_qs(body.decode())
        match form["Action"][0]:
            case "GetCallerIdentity":
                return _xml(_caller(people.instance_of(int(key.removeprefix("ASIA"), 16))))
            case "DescribeInstances":
                return _xml(_described(form))
        return _xml(
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors>"
            "</Response>",
            status=403,
        )


def _signer(request: web.Request, body: bytes) -> str | None:
    """Return the access key that signed the request, or None if the signature is wrong."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        return None
    key, region, service, names, signature = match.groups()
    token = request.headers.get("X-Amz-Security-Token")
    if token is not None and token != people.session_token_of(key):
        return None
    copy = AWSRequest(
        method="POST",
        url=f"http://{request.host}/",
        data=body,
        headers={name: request.headers.get(name, "") for name in names.split(";")},
    )
    copy.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    auth = SigV4Auth(Credentials(key, people.secret_of(key)), service, region)
    to_sign = auth.string_to_sign(copy, auth.canonical_request(copy))
    return key if hmac.compare_digest(auth.signature(to_sign, copy), signature) else None


def _xml(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/xml")


def _caller(instance: str) -> str:
    return (
        f'<GetCallerIdentityResponse xmlns="{_STS}"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:sts::{people.ACCOUNT}:assumed-role/{people.ROLE}/{instance}</Arn>"
        f"<UserId>AROAEXAMPLE:{instance}</UserId><Account>{people.ACCOUNT}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )


def _described(form: dict[str, list[str]]) -> str:
    if form.get("Filter.1.Name") == ["instance-id"]:
        values = (form[name][0] for name in form if name.startswith("Filter.1.Value."))
        numbers = [people.number_of(value) for value in values]
    else:
        numbers = [people.MANAGER, *people.MEMBERS]
    rows = "".join(
        f"<item><reservationId>r-{number:08x}</reservationId><instancesSet>"
        f"{_instance(number)}</instancesSet></item>"
        for number in numbers
    )
    return (
        f'<DescribeInstancesResponse xmlns="{_EC2}"><reservationSet>{rows}</reservationSet>'
        "</DescribeInstancesResponse>"
    )


def _instance(number: int) -> str:
    role = "manager" if number == people.MANAGER else "worker"
    tags = {"spotswarm:cluster": people.CLUSTER, "spotswarm:role": role}
    items = "".join(f"<item><key>{key}</key><value>{tags[key]}</value></item>" for key in tags)
    lifecycle = "" if role == "manager" else "<instanceLifecycle>spot</instanceLifecycle>"
    return (
        f"<item><instanceId>{people.instance_of(number)}</instanceId>"
        "<imageId>ami-0123456789abcdef0</imageId>"
        "<instanceState><code>16</code><name>running</name></instanceState>"
        f"<privateIpAddress>{people.address_of(number)}</privateIpAddress>"
        "<instanceType>t3.small</instanceType><launchTime>2026-11-30T00:00:00.000Z</launchTime>"
        f"<placement><availabilityZone>{people.REGION}a</availabilityZone></placement>"
        f"{lifecycle}<tagSet>{items}</tagSet></item>"
    )


class Engine:
    """The Docker engine of the manager: nodes that change as the leader says, and no task."""

    def __init__(self, members: dict[str, str]) -> None:
        """Create the nodes; `members` are the join keys of the workers by their instance's id."""
        self._nodes: dict[str, Any] = {"n0": _node("n0", people.MANAGER, is_manager=True)}
        for instance, key in members.items():
            number = people.number_of(instance)
            labels = {"spotswarm.instance": instance, "spotswarm.key": key}
            self._nodes[f"n{number}"] = _node(f"n{number}", number, labels=labels)
        self._swarm: dict[str, Any] = {
            "ID": "storm",
            "Version": {"Index": 1},
            "JoinTokens": {"Worker": "SWMTKN-1-worker", "Manager": "SWMTKN-1-manager"},
            "Spec": {"Name": "default", "Dispatcher": {"HeartbeatPeriod": 2_000_000_000}},
        }

    def application(self) -> web.Application:
        """Return the web application for the engine's API."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = re.sub(r"^/v\d+\.\d+", "", request.path).strip("/").split("/")
        match request.method, path:
            case "GET", ["version"]:
                return web.json_response({"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
            case "GET", ["info"]:
                state = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "n0"}
                return web.json_response({"Swarm": state, "ServerVersion": "20.10.24"})
            case "GET", ["swarm"]:
                return web.json_response(self._swarm)
            case "GET", ["nodes"]:
                is_asked_for_managers = "manager" in request.query.get("filters", "")
                return web.json_response(
                    [self._nodes["n0"]] if is_asked_for_managers else [*self._nodes.values()]
                )
            case "GET", ["services" | "tasks"]:
                return web.json_response([])
            case "GET", ["nodes", name] if name in self._nodes:
                return web.json_response(self._nodes[name])
            case "GET", ["events"]:
                return await _silence(request)
            case "POST", ["nodes", name, "update"] if name in self._nodes:
                self._update(name, await request.json())
                return web.json_response({})
            case "DELETE", ["nodes", name] if name in self._nodes:
                del self._nodes[name]
                return web.json_response({})
            case "POST", ["swarm", "update"]:
                self._swarm |= {"Spec": await request.json()}
                return web.json_response({})
        return web.json_response({"message": f"no {request.path}"}, status=404)

    def _update(self, name: str, spec: dict[str, Any]) -> None:
        node = self._nodes[name]
        if spec["Availability"] == "pause" and node["Spec"]["Availability"] != "pause":
            _tell({"event": "paused", "node": name, "at": clock.monotonic()})
        node["Spec"] = spec
        node["Version"] = {"Index": node["Version"]["Index"] + 1}


async def _silence(request: web.Request) -> web.StreamResponse:
    """Answer like the engine's stream of events when nothing happens."""
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.Event().wait()
    return response


def _node(
    name: str, number: int, *, is_manager: bool = False, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    address = people.address_of(number)
    own = {"spotswarm.instance": people.instance_of(number)}
    node: dict[str, Any] = {
        "ID": name,
        "Version": {"Index": 1},
        "CreatedAt": _CREATED,
        "UpdatedAt": _CREATED,
        "Spec": {
            "Labels": own | (labels or {}),
            "Role": "manager" if is_manager else "worker",
            "Availability": "active",
        },
        "Description": {"Hostname": f"ip-{number}"},
        "Status": {"State": "ready", "Addr": address},
    }
    if is_manager:
        node["ManagerStatus"] = {
            "Leader": True,
            "Reachability": "reachable",
            "Addr": f"{address}:2377",
        }
    return node


def _tell(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


async def _serve(port: int, socket: Path, members: dict[str, str]) -> None:
    cloud = web.AppRunner(Cloud().application(), access_log=None)
    engine = web.AppRunner(Engine(members).application(), access_log=None)
    await cloud.setup()
    await engine.setup()
    await web.TCPSite(cloud, "127.0.0.1", port, backlog=1024).start()
    await web.UnixSite(engine, str(socket)).start()
    _tell({"event": "ready"})
    await asyncio.Event().wait()


def main() -> None:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm.outside", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--members", type=Path, required=True, help="JSON: join keys by instance")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.socket, json.loads(options.members.read_text())))


if __name__ == "__main__":
    main()
