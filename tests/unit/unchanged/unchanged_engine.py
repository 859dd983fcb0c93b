"""A stand-in for the Docker engine's API: a swarm of JSON documents behind a unix socket.

It uses Docker's names and none of ours, so it survives any renaming in our code. It keeps every
request that changes something, exactly as it arrived.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from aiohttp import web

Document = dict[str, Any]
CREATED = "2026-11-23T18:00:00.123456789Z"
_AWAY = re.compile(r"node\.id!=(\S+)")


def node(
    name: str, number: int, *, role: str = "worker", availability: str = "active", **labels: str
) -> Document:
    """A node as `GET /nodes` lists it; manager 1 is the Raft leader."""
    document: Document = {
        "ID": name,
        "Version": {"Index": number},
        "CreatedAt": CREATED,
        "UpdatedAt": CREATED,
        "Spec": {"Labels": labels, "Role": role, "Availability": availability},
        "Description": {
            "Hostname": f"ip-10-0-0-{number}.eu-central-1.compute.internal",
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2_000_000_000, "MemoryBytes": 4_000_000_000},
            "Engine": {"EngineVersion": "26.1.5", "Labels": {"disk": "fast"}},
        },
        "Status": {"State": "ready", "Addr": f"10.0.0.{number}"},
    }
    if role == "manager":
        document["ManagerStatus"] = {
            "Leader": number == 1,
            "Reachability": "reachable",
            "Addr": f"10.0.0.{number}:2377",
        }
    return document


def service(name: str, replicas: int | None, **changes: Any) -> Document:
    """A service as `GET /services` lists it; without `replicas` it is global."""
    mode: Document = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
    template = {
        "ContainerSpec": {
            "Image": f"{name}:1",
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_000_000_000},
            "StopGracePeriod": 5_000_000_000,
        },
        "Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
        "ForceUpdate": 0,
        "Runtime": "container",
    }
    spec = {
        "Name": name,
        "Labels": {"com.docker.stack.namespace": "services"},
        "TaskTemplate": template,
        "Mode": mode,
    }
    return {
        "ID": f"service-{name}",
        "Version": {"Index": 100},
        "CreatedAt": CREATED,
        "Spec": spec | changes,
    }


class Engine:
    """The engine of manager `m1`."""

    def __init__(self) -> None:
        self.nodes: dict[str, Document] = {}
        self.services: dict[str, Document] = {}
        self.tasks: dict[str, Document] = {}
        self.swarm: Document = {
            "ID": "the-swarm",
            "Version": {"Index": 10},
            "JoinTokens": {"Worker": "SWMTKN-1-worker", "Manager": "SWMTKN-1-manager"},
            "Spec": {"Name": "default", "Dispatcher": {"HeartbeatPeriod": 5_000_000_000}},
        }
        self.moves_at_once = True
        """Whether tasks follow a change of their service immediately."""
        self.requests: list[Document] = []
        """Requests that changed something."""
        self._made = 0

    def add(self, *nodes: Document) -> None:
        self.nodes |= {document["ID"]: document for document in nodes}

    def offer(self, document: Document, *hosts: str) -> None:
        """Add a service with one running task on each of these nodes."""
        self.services[document["ID"]] = document
        is_global = "Global" in document["Spec"]["Mode"]
        for slot, host in enumerate(hosts, 1):
            self.start(document["ID"], host, slot=0 if is_global else slot)

    def start(self, service: str, host: str, *, slot: int, state: str = "running") -> Document:
        self._made += 1
        task = {
            "ID": f"task-{self._made}",
            "CreatedAt": CREATED,
            "ServiceID": service,
            "Slot": slot,
            "NodeID": host,
            "Spec": deepcopy(self.services[service]["Spec"]["TaskTemplate"]),
            "Status": {"State": state, "Message": "started"},
            "DesiredState": "running",
        }
        self.tasks[task["ID"]] = task
        return task

    def on(self, host: str) -> list[Document]:
        return [task for task in self.tasks.values() if task["NodeID"] == host]

    def stop_all_on(self, host: str) -> None:
        for task in self.on(host):
            del self.tasks[task["ID"]]

    @asynccontextmanager
    async def serving(self, socket: Path) -> AsyncIterator[str]:
        """Serve the API on this socket; yields its URL."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(socket)).start()
            yield f"unix://{socket}"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = re.sub(r"^/v\d+\.\d+", "", request.path)
        if request.method == "GET":
            found = self._read(path)
        else:
            text = await request.text()
            body = json.loads(text) if text else None
            self.requests.append(
                {"method": request.method, "path": path, "query": dict(request.query), "body": body}
            )
            found = self._change(request.method, path, body)
        if found is None:
            return web.json_response({"message": f"no such thing: {path}"}, status=404)
        return web.json_response(found)

    def _read(self, path: str) -> Any:
        match path.strip("/").split("/"):
            case ["version"]:
                return {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"}
            case ["info"]:
                state = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "m1"}
                return {"Swarm": state, "ServerVersion": "20.10.24"}
            case ["swarm"]:
                return self.swarm
            case ["nodes" | "services" | "tasks" as kind]:
                return list(getattr(self, kind).values())
            case ["nodes" | "services" | "tasks" as kind, name]:
                return getattr(self, kind).get(name)
        return None

    def _change(self, method: str, path: str, body: Any) -> Any:
        match method, path.strip("/").split("/"):
            case "POST", ["nodes", name, "update"] if name in self.nodes:
                return self._update_node(self.nodes[name], body)
            case "DELETE", ["nodes", name] if name in self.nodes:
                del self.nodes[name]
                return {}
            case "POST", ["services", name, "update"] if name in self.services:
                return self._update_service(self.services[name], body)
            case "POST", ["swarm", "update"]:
                self.swarm = self.swarm | {"Spec": body}
                return {}
        return None

    def _update_node(self, document: Document, spec: Document) -> Document:
        document["Spec"] = spec
        document["Version"] = {"Index": document["Version"]["Index"] + 1000}
        if spec["Role"] == "worker":
            document.pop("ManagerStatus", None)
        else:
            address = f"{document['Status']['Addr']}:2377"
            document.setdefault("ManagerStatus", {"Reachability": "reachable", "Addr": address})
        if spec["Availability"] == "drain" and self.moves_at_once:
            self.stop_all_on(document["ID"])
        return {}

    def _update_service(self, document: Document, spec: Document) -> Document:
        document["Spec"] = spec
        document["Version"] = {"Index": document["Version"]["Index"] + 1}
        if self.moves_at_once:
            document["UpdateStatus"] = {"State": "completed"}
            self._place(document)
        return {}

    def _place(self, document: Document) -> None:
        """Move tasks off excluded nodes and start or stop some to reach the number of replicas."""
        spec, name = document["Spec"], document["ID"]
        constraints = spec["TaskTemplate"]["Placement"].get("Constraints") or []
        away = {match[1] for text in constraints if (match := _AWAY.fullmatch(text))}
        free = [
            host
            for host, member in self.nodes.items()
            if member["Spec"]["Availability"] == "active" and host not in away
        ]
        mine = [task for task in self.tasks.values() if task["ServiceID"] == name]
        load = Counter(task["NodeID"] for task in mine)
        for task in mine:
            if task["NodeID"] in away:
                del self.tasks[task["ID"]]
                host = min(free, key=lambda host: load[host])
                load[host] += 1
                self.start(name, host, slot=task["Slot"])
        wanted = spec["Mode"]["Replicated"]["Replicas"]
        mine = [task for task in self.tasks.values() if task["ServiceID"] == name]
        for slot in range(len(mine) + 1, wanted + 1):
            host = min(free, key=lambda host: load[host])
            load[host] += 1
            self.start(name, host, slot=slot)
        while len(mine) > wanted:
            full = max(free, key=lambda host: load[host])
            task = next(task for task in mine if task["NodeID"] == full)
            mine.remove(task)
            load[full] -= 1
            del self.tasks[task["ID"]]
