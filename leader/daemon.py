"""The leader daemon, which manages the cluster while this manager is the Raft leader.

This is the only module that may import from every other module in the package. Rule: the daemon
makes no decisions; `stance.choose` and `decide` make them.
"""

import asyncio
from contextlib import AsyncExitStack
from importlib.metadata import version
from ipaddress import IPv4Network
from typing import Any, Final

import structlog

from leader.edges.admin import Admin
from leader.edges.aws import secrets, vpc
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
from leader.report.standing import attention, outlook, refused
from leader.settings import ADMIN_SOCKET, ETC, OWN_RUN, Settings
from leader.term.active import Active
from leader.term.broker_service import BrokerService
from leader.term.elastic_ip import ElasticIp
from leader.term.listing import Deposed
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.term.steering import Steering
from leader.upkeep.subnets import choose_pool, neighbourhood
from leader.view.events import Event
from leader.view.model import View
from leader.view.moment import Moment
from leader.view.stance import Engine, Founder, Stance, choose
from runtime import clock, systemd
from runtime.backoff import backoff
from runtime.errors import ClusterError, RefusedError
from runtime.faults import Faults
from runtime.streams import together
from wire.cluster_secrets import ClusterSecrets
from wire.sealing import private_key

log = structlog.get_logger("leader")

_STANCE_SECONDS: Final = 0.5


class Daemon:
    """The leader daemon of one manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._stance = Stance.WAIT
        self._reason = "starting"
        self._problem = ""
        self._faults = Faults(lambda path: self._metrics.faults.labels(path).inc())
        self._elastic_ip = ElasticIp(
            settings.table.elastic_ip, instance=settings.facts.instance, faults=self._faults
        )
        self._engine = Engine(state="unknown")
        self._active: Active | None = None
        self._started = clock.monotonic()
        self._metrics.follow_attention(self._attention)

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
                faults=self._faults,
            )
            await stack.enter_async_context(admin)
            swarm = await stack.enter_async_context(Swarm(faults=self._faults))
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
            problem = await self._problem_of_step(swarm, aws, right)
            if problem:
                if self._problem != problem:
                    log.warning(
                        "the leader failed and will retry",
                        reason=problem,
                        stance=self._stance.value,
                    )
                systemd.notify(STATUS=f"{self._stance.value}: {problem}")
            else:
                delays = backoff(first=_STANCE_SECONDS, ceiling=10)
            self._problem = problem
            await asyncio.sleep(next(delays) if problem else _STANCE_SECONDS)

    async def _problem_of_step(self, swarm: Swarm, aws: Aws | None, right: FoundingRight) -> str:
        """Take one step, and return why it failed, or an empty string."""
        try:
            await self._step(swarm, aws, right)
        except ClusterError as exc:
            return str(exc)
        except Exception as exc:  # noqa: BLE001  the fault is noted
            cause = self._faults.note("the stance", exc)
            return f"the leader has a fault: {cause}; the journal has its traceback"
        return ""

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
                pool = settings.table.address_pool or choose_pool(await self._vpc_blocks(aws))
                await swarm.init(address=settings.facts.address, pool=pool)
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
        # Each term begins with the date and time that the machine has by then.
        clock.anchor()
        async with AsyncExitStack() as stack:
            instances = (
                Instances(aws, cluster=settings.cluster, faults=self._faults) if aws else None
            )
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
                faults=self._faults,
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
                faults=self._faults,
            )
            self._active, self._problem = active, ""
            self._metrics.is_active.set(1)
            try:
                await together(
                    lead=active.run(),
                    keep_the_address=self._elastic_ip.keep(aws),
                    prepare_the_swarm=self._prepare(swarm, aws, right),
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

    async def _prepare(self, swarm: Swarm, aws: Aws | None, right: FoundingRight) -> None:
        """Create the overlay networks, and record that the swarm has been founded.

        This method runs once per term and retries until it succeeds.
        """
        delays = backoff(ceiling=30)
        is_prepared = False
        while not is_prepared:
            with self._faults.contained("the swarm's preparation"):
                is_prepared = await self._try_to_prepare(swarm, aws, right)
            if not is_prepared:
                await asyncio.sleep(next(delays))
        await asyncio.Event().wait()

    async def _try_to_prepare(self, swarm: Swarm, aws: Aws | None, right: FoundingRight) -> bool:
        try:
            founder = await right.read()
            if founder.instance == self._settings.facts.instance and not founder.is_founded:
                await right.founded(self._settings.facts.instance)
            await self._make_networks(swarm, aws)
        except ClusterError as exc:
            log.warning("could not prepare the swarm; retrying", reason=str(exc))
            self._problem = str(exc)
            return False
        self._problem = ""
        return True

    async def _make_networks(self, swarm: Swarm, aws: Aws | None) -> None:
        """Create the overlay networks that do not exist; one that fails does not delay others."""
        blocks, table = await self._vpc_blocks(aws), self._settings.table
        failures = []
        for name in table.networks:
            try:
                if await swarm.ensure_network(name, avoid=blocks, pool=table.address_pool):
                    log.info("created an overlay network", network=name)
            except RefusedError as exc:
                failures.append(str(exc))
        if failures:
            raise RefusedError("; ".join(failures))

    async def _vpc_blocks(self, aws: Aws | None) -> tuple[IPv4Network, ...]:
        """Return the address blocks that overlay networks must not use."""
        facts = self._settings.facts
        own = neighbourhood(facts.address)
        near = () if own is None else (own,)
        if aws is None:
            return near
        with self._faults.contained("the VPC's address blocks"):
            try:
                return (await vpc.blocks_of(aws, facts.instance)) or near
            except ClusterError as exc:
                log.warning(
                    "could not read the VPC's address blocks",
                    reason=str(exc),
                    consequence=f"overlay networks avoid only {own}",
                    remedy="allow ec2:DescribeVpcs, or set address_pool",
                )
        return near

    # The data that the admin API serves.

    def status(self) -> dict[str, Any]:
        """Return the daemon's state and, if this daemon is leading, a summary of the cluster."""
        own: dict[str, Any] = {
            "cluster": self._settings.cluster,
            "instance": self._settings.facts.instance,
            "version": version("spotswarm"),
            "stance": self._stance.value,
            "reason": self._reason,
            "problem": self._problem or (self._elastic_ip.problem if self._active else ""),
            "leader": self._engine.leader,
            "up_seconds": round(clock.monotonic() - self._started),
            "identity": self._settings.policy.identity,
            "faults": self._faults.recent(),
        }
        if self._active is None:
            return own
        wanted, flood = self._settings.policy.managers, self._active.flood
        return own | {
            "healthy": self.is_healthy() and not own["faults"] and not flood["flooded"],
            "broker_starts": self._active.broker_starts,
            **flood,
            **report.summary(self._active.view, at=clock.steady(), wanted_managers=wanted),
            **self._attention(),
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
        view = self._active.view
        explanation = report.explain(view, self._active.record, name)
        if explanation is None:
            return None
        moment, names = self._moment(view), report.names_of(view, name)
        return explanation | {
            "refusals": refused(moment, names),
            "outlook": outlook(moment, names),
        }

    def _attention(self) -> dict[str, Any]:
        """Return what needs the operator's attention; nothing if this daemon is not leading."""
        if self._active is None:
            return {}
        with self._faults.contained("reports"):
            return attention(self._moment(self._active.view), clock.step())
        return {}

    def _moment(self, view: View) -> Moment:
        return Moment(view, self._settings.policy, clock.steady())


def _leader_keys(cluster_secrets: ClusterSecrets) -> tuple[Any, ...]:
    current = private_key(cluster_secrets.leader_key.get_secret_value())
    if cluster_secrets.previous_leader_key is None:
        return (current,)
    previous = cluster_secrets.previous_leader_key
    return (current, private_key(previous.get_secret_value()))
