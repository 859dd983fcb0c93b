"""An identity from the agent's signature to the leader's verdict, against an STS that checks.

Moto checks signatures, session tokens and policies once its auth is on; the first test
proves that it is. It checks no dates: freshness is ours, and refused before any network.
"""

import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from nacl.public import PrivateKey
from pydantic import SecretStr
from structlog.testing import capture_logs

from agent import join_request
from agent.events import Denied as AgentDenied
from agent.signing import Credentials, sign
from leader.edges.aws.clients import Aws
from leader.edges.aws.identity import AwsIdentity
from leader.edges.aws.instances import Instances
from leader.joining.admission import admit
from leader.joining.intake import Intake, IntakePolicy
from leader.settings import LeaderTable
from leader.view.ids import NodeId
from leader.view.model import Ask, Denied, Identity, Node, View
from runtime import clock
from wire.instance import InstanceFacts
from wire.messages import Availability, AwsProof, Denial, DenialCode, JoinRequest, Role
from wire.sealing import open_request, private_key, public_text, seal_reply

CLUSTER = "contract"
REGION = "eu-central-1"


class Desk:
    """The leader's whole way from an opened request to a verdict, without its loops."""

    def __init__(self, prover: AwsIdentity) -> None:
        self.prover = prover
        self.intake = Intake(
            IntakePolicy(cluster=CLUSTER, identity="aws", regions=frozenset({REGION}))
        )

    async def judge(self, request: JoinRequest, key: Any) -> Identity | Denied:
        found: Identity | Denied | None = self.intake.screen(request, clock.now())
        if found is None:
            found = await self.prover.prove(request, key)
        if isinstance(found, Denied):
            return found
        ask = Ask(
            nonce=request.nonce,
            reply=request.reply,
            key=public_text(key),
            role=request.role,
            opened_by=0,
            identity=found,
        )
        at = clock.now()
        manager = Node(
            id=NodeId("n-1"),
            hostname="ip-10-0-0-1",
            role=Role.MANAGER,
            status="ready",
            availability=Availability.ACTIVE,
            address="10.0.0.1",
            created=at,
            is_leader=True,
            reachability="reachable",
        )
        view = View(nodes={manager.id: manager}, nodes_at=at)
        policy = LeaderTable(secrets="file:/example").policy(CLUSTER)
        return admit(ask, view, policy, at) or found


@pytest.fixture
async def desk(aws: Aws, cloud: Any) -> AsyncIterator[Desk]:
    prover = AwsIdentity(
        aws,
        Instances(aws, cluster=CLUSTER),
        region=REGION,
        endpoint=f"{cloud.url}/",
        roles=("spotswarm-worker", "spotswarm-manager"),
    )
    async with prover:
        yield Desk(prover)


Signed = tuple[JoinRequest, PrivateKey]
Signer = Callable[..., Signed]


@pytest.fixture
def signed(cloud: Any) -> Signer:
    """A request as the agent makes it, all of it honest."""

    def make(
        credentials: Credentials | None = None,
        *,
        at: datetime | None = None,
        role: Role = Role.WORKER,
        url: str | None = None,
        region: str = REGION,
    ) -> Signed:
        own, nonce, at = PrivateKey.generate(), secrets.token_hex(16), at or clock.now()
        proof = sign(
            credentials or cloud.credentials(cloud.instances["worker"]),
            region=region,
            url=url or f"{cloud.url}/",
            cluster=CLUSTER,
            nonce=nonce,
            key=public_text(own.public_key),
            at=at,
        )
        request = JoinRequest(
            cluster=CLUSTER,
            nonce=nonce,
            reply=secrets.token_hex(16),
            role=role,
            issued=at,
            identity=proof,
        )
        return request, own

    return make


def altered(request: JoinRequest, **changes: Any) -> JoinRequest:
    """The request with other values in its proof."""
    assert isinstance(request.identity, AwsProof)
    return request.model_copy(update={"identity": request.identity.model_copy(update=changes)})


def flipped(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    return SecretStr(text[:-1] + ("0" if text[-1] != "0" else "1"))


def code(verdict: Identity | Denied) -> DenialCode:
    assert isinstance(verdict, Denied), verdict
    assert verdict.reason
    return verdict.code


def test_this_aws_really_checks_signatures(cloud: Any) -> None:
    client = boto3.client(
        "sts",
        endpoint_url=cloud.url,
        region_name=REGION,
        aws_access_key_id=cloud.admin[0],
        aws_secret_access_key="not the admin's",
    )
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.get_caller_identity()
    client.close()
    assert cloud.client("sts").get_caller_identity()["Account"] == "123456789012"


async def test_a_good_proof_gives_the_instance_as_ec2_knows_it(
    desk: Desk, signed: Signer, cloud: Any
) -> None:
    request, own = signed()
    found = await desk.judge(request, own.public_key)
    assert isinstance(found, Identity)
    assert found.mode == "aws"
    assert found.instance.id == cloud.instances["worker"]
    assert (found.instance.lifecycle, found.instance.state) == ("spot", "running")
    assert found.instance.cluster == CLUSTER
    assert found.instance.zone.startswith(REGION)
    assert found.instance.address.count(".") == 3


async def test_a_tagged_on_demand_instance_proves_itself_a_manager(
    desk: Desk, signed: Signer, cloud: Any
) -> None:
    credentials = cloud.credentials(cloud.instances["manager"], role="spotswarm-manager")
    request, own = signed(credentials, role=Role.MANAGER)
    found = await desk.judge(request, own.public_key)
    assert isinstance(found, Identity)
    assert (found.instance.lifecycle, found.instance.role) == ("on-demand", "manager")


async def test_spot_never_gets_a_managers_token(desk: Desk, signed: Signer, cloud: Any) -> None:
    credentials = cloud.credentials(cloud.instances["spot manager"], role="spotswarm-manager")
    request, own = signed(credentials, role=Role.MANAGER)
    assert code(await desk.judge(request, own.public_key)) is DenialCode.SPOT_MANAGER


async def test_a_worker_gets_no_managers_token(desk: Desk, signed: Signer, cloud: Any) -> None:
    credentials = cloud.credentials(cloud.instances["worker"])
    request, own = signed(credentials, role=Role.MANAGER)
    assert code(await desk.judge(request, own.public_key)) in {
        DenialCode.SPOT_MANAGER,
        DenialCode.NOT_A_MANAGER,
    }


async def test_another_nonce_than_was_signed_is_refused(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    request = request.model_copy(update={"nonce": secrets.token_hex(16)})
    assert code(await desk.judge(request, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_another_key_than_was_signed_is_refused(desk: Desk, signed: Signer) -> None:
    """Whoever copies a proof cannot have the answer boxed to himself."""
    request, _ = signed()
    thief = PrivateKey.generate()
    assert code(await desk.judge(request, thief.public_key)) is DenialCode.PROOF_REFUSED


async def test_another_cluster_is_refused_before_any_network(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    request = request.model_copy(update={"cluster": "another"})
    assert code(await desk.judge(request, own.public_key)) is DenialCode.WRONG_CLUSTER


async def test_a_proof_signed_for_another_cluster_is_refused_by_sts(desk: Desk, cloud: Any) -> None:
    own, nonce, at = PrivateKey.generate(), secrets.token_hex(16), clock.now()
    proof = sign(
        cloud.credentials(cloud.instances["worker"]),
        region=REGION,
        url=f"{cloud.url}/",
        cluster="another",
        nonce=nonce,
        key=public_text(own.public_key),
        at=at,
    )
    request = JoinRequest(
        cluster=CLUSTER, nonce=nonce, reply=nonce, role=Role.WORKER, issued=at, identity=proof
    )
    assert code(await desk.judge(request, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_another_date_than_was_signed_is_refused(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    date = clock.now() + timedelta(seconds=20)
    verdict = await desk.judge(altered(request, date=date), own.public_key)
    assert code(verdict) is DenialCode.PROOF_REFUSED


async def test_another_signature_is_refused(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    changed = altered(request, authorization=flipped(request.identity.authorization))
    assert code(await desk.judge(changed, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_another_session_token_is_refused(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    changed = altered(request, session_token=flipped(request.identity.session_token))
    assert code(await desk.judge(changed, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_an_unknown_key_is_refused(desk: Desk, signed: Signer, cloud: Any) -> None:
    credentials = dataclasses.replace(
        cloud.credentials(cloud.instances["worker"]), access_key="ASIAIOSFODNN7EXAMPLE"
    )
    request, own = signed(credentials)
    assert code(await desk.judge(request, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_a_proof_for_another_host_is_refused(desk: Desk, signed: Signer) -> None:
    request, own = signed(url="https://sts.example.com/")
    assert code(await desk.judge(request, own.public_key)) is DenialCode.PROOF_REFUSED


async def test_a_proof_for_another_region_is_refused_before_any_network(
    desk: Desk, signed: Signer
) -> None:
    request, own = signed(region="us-east-1")
    assert code(await desk.judge(request, own.public_key)) is DenialCode.PROOF_FORM


@pytest.mark.parametrize("token", ["a\r\nx-evil: 1", "a\nb", "a\x00b", "\u00e9", " "])
async def test_a_session_token_that_is_no_header_value_is_refused(
    token: str, desk: Desk, signed: Signer
) -> None:
    request, own = signed()
    verdict = await desk.judge(altered(request, session_token=SecretStr(token)), own.public_key)
    assert code(verdict) in {DenialCode.PROOF_FORM, DenialCode.PROOF_REFUSED}


async def test_a_visitors_role_is_refused(desk: Desk, signed: Signer, cloud: Any) -> None:
    credentials = cloud.credentials(cloud.instances["worker"], role="visitor")
    request, own = signed(credentials)
    assert code(await desk.judge(request, own.public_key)) is DenialCode.WRONG_ROLE


async def test_a_persons_session_is_refused(desk: Desk, signed: Signer, cloud: Any) -> None:
    request, own = signed(cloud.credentials("alice"))
    assert code(await desk.judge(request, own.public_key)) is DenialCode.WRONG_ROLE


async def test_the_same_role_of_another_account_is_refused(
    desk: Desk, signed: Signer, cloud: Any
) -> None:
    credentials = cloud.credentials(cloud.instances["worker"], account="210987654321")
    request, own = signed(credentials)
    assert code(await desk.judge(request, own.public_key)) is DenialCode.WRONG_ACCOUNT


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("terminated", DenialCode.NOT_RUNNING),
        ("untagged", DenialCode.NOT_IN_CLUSTER),
        ("foreign", DenialCode.NOT_IN_CLUSTER),
        ("unknown", DenialCode.UNKNOWN_INSTANCE),
    ],
)
async def test_an_instance_that_is_not_ours_or_not_running_is_denied(
    instance: str, expected: DenialCode, desk: Desk, signed: Signer, cloud: Any
) -> None:
    request, own = signed(cloud.credentials(cloud.instances[instance]))
    assert code(await desk.judge(request, own.public_key)) is expected


async def test_a_proof_used_twice_is_refused_the_second_time(desk: Desk, signed: Signer) -> None:
    request, own = signed()
    assert isinstance(await desk.judge(request, own.public_key), Identity)
    assert code(await desk.judge(request, own.public_key)) is DenialCode.REPLAYED


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_clock_that_is_off_is_refused_before_any_network(
    minutes: int, desk: Desk, signed: Signer
) -> None:
    desk.prover._endpoint = "http://127.0.0.1:9/"
    request, own = signed(at=clock.now() + timedelta(minutes=minutes))
    assert code(await desk.judge(request, own.public_key)) is DenialCode.STALE


async def test_a_fresh_request_around_an_old_proof_is_refused_before_any_network(
    desk: Desk, signed: Signer
) -> None:
    desk.prover._endpoint = "http://127.0.0.1:9/"
    request, own = signed(at=clock.now() - timedelta(minutes=10))
    request = request.model_copy(update={"issued": clock.now()})
    assert code(await desk.judge(request, own.public_key)) is DenialCode.STALE


async def test_an_sts_that_is_away_is_no_verdict_on_the_asker(desk: Desk, signed: Signer) -> None:
    desk.prover._endpoint = "http://127.0.0.1:9/"
    request, own = signed()
    assert code(await desk.judge(request, own.public_key)) is DenialCode.AWS_AWAY


async def test_all_the_way_from_the_agents_question_to_its_event(
    desk: Desk, cloud: Any, cluster: Any
) -> None:
    instance = cloud.instances["untagged"]
    key = private_key(cluster.secrets.leader_key.get_secret_value())

    async def send(_told: Any, _reply: str, sealed: bytes, _within: float) -> bytes:
        request, asker, _ = open_request(sealed, leaders=[key])
        assert isinstance(request, JoinRequest)
        verdict = await desk.judge(request, asker)
        denial = Denial(
            cluster=CLUSTER,
            nonce=request.nonce,
            code=code(verdict),
            leader_time=clock.now(),
            retry_after_seconds=30,
        )
        return seal_reply(denial, leader=key, asker=asker)

    async def credentials() -> Credentials:
        found: Credentials = cloud.credentials(instance)
        return found

    event = await join_request.request_token(
        cluster.told(sts_endpoint=f"{cloud.url}/"),
        InstanceFacts(
            instance=instance,
            region=REGION,
            zone=f"{REGION}a",
            type="t3.small",
            lifecycle="spot",
            address="10.0.0.1",
        ),
        role=Role.WORKER,
        offset=timedelta(),
        credentials=credentials,
        send=send,
    )
    assert isinstance(event, AgentDenied)
    assert event.code == DenialCode.NOT_IN_CLUSTER


async def test_nothing_secret_is_in_logs_reprs_or_reasons(
    desk: Desk, signed: Signer, cloud: Any
) -> None:
    credentials = cloud.credentials(cloud.instances["worker"])
    request, own = signed(credentials)
    bad = altered(request, authorization=flipped(request.identity.authorization))
    with capture_logs() as logs:
        good = await desk.judge(request, own.public_key)
        refused = await desk.judge(bad, own.public_key)
    said = f"{logs} {good!r} {refused!r} {request!r} {bad!s} {credentials!r}"
    assert isinstance(request.identity, AwsProof)
    authorization = request.identity.authorization.get_secret_value()
    for secret in (
        credentials.secret_key.get_secret_value(),
        credentials.session_token.get_secret_value(),
        authorization,
        authorization.rpartition("=")[2],
    ):
        assert secret not in said
