"""The leader daemon, which manages the cluster while this manager is the Raft leader.

This is the only module that may import from every other module in the package. Rule: the daemon
makes no decisions; `stance.choose` and `decide` make them.
"""

import asyncio
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any, Final

import structlog

from leader.edges.admin import Admin
from leader.edges.aws import address, secrets
from leader.edges.aws.clients import Aws
from leader.edges.aws.fleet import NoFleet
from leader.edges.aws.founder import FileFoundingRight, FoundingRight, SsmFoundingRight
from leader.edges.aws.identity import AwsIdentity, PasswordIdentity
from leader.edges.aws.instances import Instances
from leader.edges.aws.queue import NoticeQueue
from leader.edges.broker import connection as broker
from leader.edges.broker.redis_server import ContainerRedis, ProcessRedis
from leader.edges.docker.swarm import Swarm
from leader.report import status as report
from leader.settings import ADMIN_SOCKET, ETC, OWN_RUN, Settings
from leader.term.active import Active
from leader.term.broker_service import BrokerService
from leader.term.listing import Deposed
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.term.steering import Steering
from leader.view.events import Event
from leader.view.stance import Engine, Founder, Stance, choose
from runtime import clock, systemd
from runtime.backoff import backoff
from runtime.errors import ClusterError, RefusedError, UnavailableError
from runtime.streams import together
from wire.cluster_secrets import ClusterSecrets
from wire.sealing import private_key

log = structlog.get_logger("leader")

_STANCE_SECONDS: Final = 0.5
_ADDRESS_SECONDS: Final = 60.0


class Daemon:
    """The leader daemon of one manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._stance = Stance.WAIT
        self._reason = "starting"
        self._problem = ""
        self._engine = Engine(state="unknown")
        self._active: Active | None = None
        self._started = clock.now()

    async def run(self) -> None:
        """Serve the admin API until cancelled; lead whenever this manager is the Raft leader."""
        settings = self._settings
        if settings.policy.identity == "password":
            log.warning(
                "instances can join with a password",
                consequence="anyone who knows the broker's password can get a worker token",
                remedy='set identity = "aws" unless machines outside AWS must join',
            )
        for name in settings.unknown:
            log.warning(
                "ignored a setting that this version does not support", setting=f"leader.{name}"
            )
        async with AsyncExitStack() as stack:
            admin = Admin(
                self,
                self._metrics.registry,
                socket=ADMIN_SOCKET,
                port=settings.table.metrics_port,
                commands=self._steering(),
            )
            await stack.enter_async_context(admin)
            swarm = await stack.enter_async_context(Swarm())
            aws = None
            if settings.policy.identity == "aws":
                aws = await stack.enter_async_context(
                    Aws(region=settings.facts.region, endpoint=settings.table.aws_endpoint)
                )
            systemd.notify(READY="1")
            await together(
                feed_the_watchdog=systemd.feed_watchdog(),
                keep_the_stance=self._keep_stance(swarm, aws),
            )

    async def _keep_stance(self, swarm: Swarm, aws: Aws | None) -> None:
        right: FoundingRight = (
            FileFoundingRight(ETC / "founder")
            if aws is None
            else SsmFoundingRight(aws, cluster=self._settings.cluster)
        )
        delays = backoff(first=_STANCE_SECONDS, ceiling=10)
        while True:
            try:
                await self._step(swarm, aws, right)
                self._problem = ""
                delays = backoff(first=_STANCE_SECONDS, ceiling=10)
                await asyncio.sleep(_STANCE_SECONDS)
            except ClusterError as exc:
                if self._problem != str(exc):
                    log.warning(
                        "the leader failed and will retry",
                        reason=str(exc),
                        stance=self._stance.value,
                    )
                self._problem = str(exc)
                systemd.notify(STATUS=f"{self._stance.value}: {exc}")
                await asyncio.sleep(next(delays))

    async def _step(self, swarm: Swarm, aws: Aws | None, right: FoundingRight) -> None:
        settings = self._settings
        self._engine = engine = await swarm.engine()
        founder: Founder | None = None
        if engine.state == "inactive":
            founder = await right.read()
        stance, reason = choose(engine, founder, instance=settings.facts.instance)
        self._become(stance, reason)
        if stance is Stance.FOUND_SWARM:
            founder = await right.claim(settings.facts.instance)
            if founder.instance == settings.facts.instance and not founder.is_founded:
                await swarm.init(address=settings.facts.address)
                await right.founded(settings.facts.instance)
        elif stance is Stance.LEAD:
            try:
                await self._lead(swarm, aws, right)
            finally:
                self._active = None
                self._metrics.is_active.set(0)

    def _steering(self) -> Steering:
        """Return the object that passes the operator's commands to the current term."""

        async def submit(event: Event) -> None:
            if self._active is not None:
                await self._active.submit(event)

        return Steering(
            view=lambda: None if self._active is None else self._active.view,
            policy=self._settings.policy,
            submit=submit,
            new_id=lambda kind: "none" if self._active is None else self._active.new_id(kind),
        )

    def _become(self, stance: Stance, reason: str) -> None:
        if (stance, reason) != (self._stance, self._reason):
            log.info("stance changed", stance=stance.value, reason=reason)
        self._stance, self._reason = stance, reason
        systemd.notify(STATUS=f"{stance.value}: {reason}")

    async def _lead(self, swarm: Swarm, aws: Aws | None, right: FoundingRight) -> None:
        settings = self._settings
        cluster_secrets = await secrets.read(settings.table.secrets, aws)
        async with AsyncExitStack() as stack:
            instances = Instances(aws, cluster=settings.cluster) if aws else None
            prover: AwsIdentity | PasswordIdentity = PasswordIdentity(cluster=settings.cluster)
            if aws is not None and instances is not None:
                prover = await stack.enter_async_context(
                    AwsIdentity(
                        aws,
                        instances,
                        region=settings.facts.region,
                        endpoint=settings.table.aws_endpoint,
                        roles=settings.table.roles,
                    )
                )
            mailbox = Mailbox(_leader_keys(cluster_secrets))
            queue = self._queue(aws)
            performer = Performer(
                cluster=settings.cluster,
                mailbox=mailbox,
                swarm=swarm,
                instances=instances,
                fleet=NoFleet(),
                queue=queue,
            )
            active = Active(
                settings,
                own_node=self._engine.node,
                swarm=swarm,
                prover=prover,
                performer=performer,
                mailbox=mailbox,
                broker=self._broker(cluster_secrets),
                queue=queue,
                metrics=self._metrics,
            )
            self._active = active
            self._metrics.is_active.set(1)
            try:
                await together(
                    lead=active.run(),
                    keep_the_address=self._keep_address(aws),
                    prepare_the_swarm=self._prepare(swarm, right),
                )
            except Deposed as exc:
                log.info("stopped leading", reason=str(exc))

    def _queue(self, aws: Aws | None) -> NoticeQueue | None:
        url = self._settings.table.queue
        return None if aws is None or url is None else NoticeQueue(aws, url)

    def _broker(self, cluster_secrets: ClusterSecrets) -> BrokerService:
        cluster, port = self._settings.cluster, self._settings.table.broker_port
        is_process = self._settings.table.broker == "process"
        directory, image = OWN_RUN / "broker", self._settings.broker_image
        return BrokerService(
            cluster=cluster,
            leader=self._settings.facts.instance,
            start=lambda: (
                ProcessRedis(directory, cluster=cluster, secrets=cluster_secrets, port=port)
                if is_process
                else ContainerRedis(
                    directory, cluster=cluster, secrets=cluster_secrets, port=port, image=image
                )
            ),
            connect=lambda stack: stack.enter_async_context(
                broker.connected(cluster_secrets, cluster=cluster, port=port)
            ),
        )

    async def _keep_address(self, aws: Aws | None) -> None:
        """Keep the Elastic IP associated with this instance.

        If this fails, log a warning and try again. A failure does not end the term, because agents
        may be able to reach this manager at another address.
        """
        allocation = self._settings.table.elastic_ip
        while True:
            if aws is not None and allocation is not None:
                try:
                    instance = self._settings.facts.instance
                    if await address.take(aws, allocation=allocation, instance=instance):
                        log.info("took over the Elastic IP", allocation=allocation)
                except (UnavailableError, RefusedError) as exc:
                    log.warning("could not take over the Elastic IP; retrying", reason=str(exc))
                    await asyncio.sleep(5)
                    continue
            await asyncio.sleep(_ADDRESS_SECONDS)

    async def _prepare(self, swarm: Swarm, right: FoundingRight) -> None:
        """Create the overlay networks, and record that the swarm has been founded.

        This method runs once per term and retries until it succeeds.
        """
        delays = backoff(ceiling=30)
        while True:
            try:
                for name in self._settings.table.networks:
                    if await swarm.ensure_network(name):
                        log.info("created an overlay network", network=name)
                founder = await right.read()
                if founder.instance == self._settings.facts.instance and not founder.is_founded:
                    await right.founded(self._settings.facts.instance)
                break
            except ClusterError as exc:
                log.warning("could not prepare the swarm; retrying", reason=str(exc))
                await asyncio.sleep(next(delays))
        await asyncio.Event().wait()

    # The data that the admin API serves.

    def status(self) -> dict[str, Any]:
        """Return the daemon's state and, if this daemon is leading, a summary of the cluster."""
        at = clock.now()
        own: dict[str, Any] = {
            "cluster": self._settings.cluster,
            "instance": self._settings.facts.instance,
            "version": version("spotswarm"),
            "stance": self._stance.value,
            "reason": self._reason,
            "problem": self._problem,
            "leader": self._engine.leader,
            "up_seconds": round((at - self._started).total_seconds()),
            "identity": self._settings.policy.identity,
        }
        if self._active is None:
            return own
        wanted, flood = self._settings.policy.managers, self._active.flood
        return own | {
            "healthy": self.is_healthy() and not flood["flooded"],
            "broker_starts": self._active.broker_starts,
            **flood,
            **report.summary(self._active.view, at=at, wanted_managers=wanted),
        }

    def is_healthy(self) -> bool:
        """Return whether this daemon is leading or standing by without problems."""
        if self._active is not None:
            return self._active.is_healthy
        return self._stance is not Stance.LEAD and not self._problem

    def nodes(self) -> list[dict[str, Any]] | None:
        """Return one row for each node, or None if this daemon is not leading."""
        return None if self._active is None else report.nodes(self._active.view)

    def joins(self) -> list[dict[str, Any]] | None:
        """Return this term's join requests, or None if this daemon is not leading."""
        return None if self._active is None else report.joins(self._active.record)

    def explain(self, name: str) -> dict[str, Any] | None:
        """Return the details of a node, instance or service.

        Return None if the name is unknown or this daemon is not leading.
        """
        if self._active is None:
            return None
        return report.explain(self._active.view, self._active.record, name)


def _leader_keys(cluster_secrets: ClusterSecrets) -> tuple[Any, ...]:
    current = private_key(cluster_secrets.leader_key.get_secret_value())
    if cluster_secrets.previous_leader_key is None:
        return (current,)
    previous = cluster_secrets.previous_leader_key
    return (current, private_key(previous.get_secret_value()))
