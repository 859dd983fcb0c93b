"""The instance metadata service (version 2 only), on a real socket.

Like EC2's metadata service, this service identifies machines by their source addresses.

Rule: accept nothing that EC2 would reject. Every request for data needs a token that was
issued to the same machine. The response to a token request travels no more hops than the instance's
hop limit allows. If the limit is 1, a container on a bridge network cannot get a token.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from lab.aws.cloud import Credentials, Instance
from lab.places import ACCOUNT, REGION
from runtime import clock

TOKEN_HEADER: Final = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
TTL_HEADER: Final = "X-aws-ec2-metadata-token-ttl-seconds"
_LONGEST: Final = 21600
_RENEW_BEFORE: Final = timedelta(minutes=15)
_TREE: Final = "latest/meta-data/"

Find = Callable[[str], Instance | None]
"""Returns the running instance with this private address, or None."""
Issue = Callable[[str, str], Credentials]
"""Returns new credentials, given a role and an instance id."""
Tell = Callable[[Instance, str], str | None]
"""Returns an instance's announcement at a path such as `spot/…` or `events/…`, or None."""


@dataclass(slots=True)
class Metadata:
    """The metadata service; `application` returns it as a web application."""

    find: Find
    issue: Issue
    tell: Tell
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _credentials: dict[tuple[str, str], Credentials] = field(default_factory=dict)

    def application(self) -> web.Application:
        """Return the web application with the service's routes."""
        app = web.Application(middlewares=[self._refuse_proxies])
        app.router.add_put("/latest/api/token", self._token)
        app.router.add_get("/{path:.*}", self._get)
        return app

    @staticmethod
    @web.middleware
    async def _refuse_proxies(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Reject forwarded requests, which an attacker may have sent through an open proxy."""
        if "X-Forwarded-For" in request.headers:
            raise web.HTTPForbidden
        return await handler(request)

    async def _token(self, request: web.Request) -> web.Response:
        instance = self._asker(request)
        ttl = request.headers.get(TTL_HEADER, "")
        if not ttl.isdecimal() or not 1 <= int(ttl) <= _LONGEST:
            raise web.HTTPBadRequest
        now = clock.monotonic()
        self._tokens = {key: issued for key, issued in self._tokens.items() if issued[1] > now}
        token = secrets.token_urlsafe(40)
        self._tokens[token] = (request.remote or "", now + int(ttl))
        _limit_hops(request, instance.hop_limit)
        return web.Response(text=token, headers={TTL_HEADER: ttl})

    async def _get(self, request: web.Request) -> web.Response:
        owner, expires = self._tokens.get(request.headers.get(TOKEN_HEADER, ""), ("", 0.0))
        if owner != request.remote or expires <= clock.monotonic():
            raise web.HTTPUnauthorized
        instance = self._asker(request)
        path = request.match_info["path"]
        if path == "latest/user-data":
            if instance.user_data is None:
                raise web.HTTPNotFound
            return web.Response(body=instance.user_data, content_type="application/octet-stream")
        if path == "latest/dynamic/instance-identity/document":
            return web.Response(text=json.dumps(identity_document(instance), indent=2))
        if not path.startswith(_TREE):
            raise web.HTTPNotFound
        leaf = path.removeprefix(_TREE)
        text = self.tell(instance, leaf) or about(instance, leaf)
        if text is None:
            text = await self._role_credentials(instance, leaf)
        return web.Response(text=text)

    async def _role_credentials(self, instance: Instance, leaf: str) -> str:
        folder, _, role = leaf.rpartition("/")
        if folder != "iam/security-credentials" or instance.role is None:
            raise web.HTTPNotFound
        if not role:
            return instance.role
        if role != instance.role:
            raise web.HTTPNotFound
        credentials = self._credentials.get((instance.id, role))
        if credentials is None or credentials.expires.timestamp() - clock.now().timestamp() < (
            _RENEW_BEFORE.total_seconds()
        ):
            credentials = await asyncio.to_thread(self.issue, role, instance.id)
            self._credentials[instance.id, role] = credentials
        answer = {
            "Code": "Success",
            "LastUpdated": _stamp(clock.now()),
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.key,
            "SecretAccessKey": credentials.secret,
            "Token": credentials.token,
            "Expiration": _stamp(credentials.expires),
        }
        return json.dumps(answer, indent=2)

    def _asker(self, request: web.Request) -> Instance:
        instance = self.find(request.remote or "")
        if instance is None:
            raise web.HTTPNotFound
        return instance


def about(instance: Instance, leaf: str) -> str | None:
    """Return the instance's metadata at a path below `meta-data/`, or None if there is none."""
    name = f"ip-{instance.address.replace('.', '-')}.{REGION}.compute.internal"
    if leaf.startswith("tags/instance") and not instance.shows_tags:
        return None
    if leaf.rstrip("/") == "tags/instance":
        return "\n".join(sorted(instance.tags))
    if leaf.startswith("tags/instance/"):
        return instance.tags.get(leaf.removeprefix("tags/instance/"))
    return {
        "ami-id": instance.image,
        "hostname": name,
        "instance-id": instance.id,
        "instance-life-cycle": "spot" if instance.is_spot else "on-demand",
        "instance-type": instance.type,
        "local-hostname": name,
        "local-ipv4": instance.address,
        "placement/availability-zone": instance.zone,
        "placement/region": REGION,
    }.get(leaf)


def identity_document(instance: Instance) -> dict[str, str | None]:
    """Return the contents of `dynamic/instance-identity/document`, without a signature."""
    return {
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": instance.zone,
        "imageId": instance.image,
        "instanceId": instance.id,
        "instanceType": instance.type,
        "privateIp": instance.address,
        "region": REGION,
        "version": "2017-09-30",
    }


def _limit_hops(request: web.Request, hops: int) -> None:
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is not None and sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
