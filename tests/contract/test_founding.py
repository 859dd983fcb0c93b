"""Who may found the swarm: one, once, for ever."""

import asyncio
from pathlib import Path

from leader.edges.aws.clients import Aws
from leader.edges.aws.founder import FileFoundingRight, SsmFoundingRight
from leader.view.stance import Founder


async def test_of_many_claims_at_once_exactly_one_wins_and_all_agree_who(aws: Aws) -> None:
    right = SsmFoundingRight(aws, cluster="claims")
    held = await asyncio.gather(*(right.claim(f"i-{n:017x}") for n in range(24)))
    winners = {founder.instance for founder in held}
    assert len(winners) == 1
    assert (await right.read()).instance in winners
    assert sum(founder.instance == f"i-{n:017x}" for n, founder in enumerate(held)) == 1


async def test_before_any_claim_nobody_holds_the_right(aws: Aws) -> None:
    assert await SsmFoundingRight(aws, cluster="unclaimed").read() == Founder(instance=None)


async def test_the_claimer_may_claim_again_after_its_crash(aws: Aws) -> None:
    right = SsmFoundingRight(aws, cluster="crashed")
    assert await right.claim("i-1") == Founder(instance="i-1")
    assert await right.claim("i-1") == Founder(instance="i-1")
    assert await right.claim("i-2") == Founder(instance="i-1")


async def test_that_the_swarm_was_founded_is_remembered(aws: Aws) -> None:
    right = SsmFoundingRight(aws, cluster="founded")
    await right.claim("i-1")
    await right.founded("i-1")
    founded = Founder(instance="i-1", is_founded=True)
    assert await right.read() == founded
    assert await right.claim("i-1") == founded
    assert await right.claim("i-2") == founded


async def test_clusters_do_not_share_the_right(aws: Aws) -> None:
    await SsmFoundingRight(aws, cluster="one").claim("i-1")
    assert (await SsmFoundingRight(aws, cluster="two").claim("i-2")).instance == "i-2"


async def test_outside_aws_the_file_is_the_right(tmp_path: Path) -> None:
    right = FileFoundingRight(tmp_path / "founder")
    assert (await right.claim("host-1")).instance != "host-1"
    (tmp_path / "founder").touch()
    assert await right.claim("host-1") == Founder(instance="host-1")
    await right.founded("host-1")
    assert await right.read() == Founder(instance="host-1", is_founded=True)
