"""The whole site on spot workers: deployed by the operator's command, used by a real browser.

Its edge takes the place of the scenarios' own ingress, so this file comes last.
"""

import asyncio
import base64
import http
import json
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from farm import SERVICES, Farm
from scenario import eventually

sys.path.insert(0, str(Path(__file__).parents[1] / "contract" / "services"))

from site_browser import chromium, visitor

from lab.load import ingress, traffic
from lab.site import deployment as site
from lab.site.window import Window

OURS = ("auth", "public_api", "webservice", "newswatcher", "ml", "cp_api", "cp_api_tickle")
SCORED = ".badge.positive, .badge.negative, .badge.neutral"


@pytest.fixture(scope="module")
def website(cluster):
    """Edge and services, of images built here and pushed to the cluster's own registry."""
    ingress.remove(cluster, "traefik", *(one.name for one in SERVICES))
    return site.deploy(cluster, report=print)


@pytest.fixture
def farm(website, request):
    """Three workers that serve, and the site whole."""
    begun = Farm(website.lab)
    eventually(begun.is_quiet, within=180, every=1, what="a quiet site")
    yield begun
    if getattr(request.node, "failed", False):
        print(begun.last_words())
        print(ingress.reachable_manager(website.lab).docker("service", "ls"))


@asynccontextmanager
async def browsing(website, email):
    """A visitor of the site, and the port his browser finds it at."""
    window = Window(website.addresses())
    async with window.opened(), chromium() as browser:
        url = f"http://{site.DOMAIN}:{window.port}"
        async with visitor(browser, url, email) as one:
            yield one


def get(website, host, path, *, within=20, **headers):
    """Status and JSON of one request to a manager's ingress."""
    asked = urllib.request.Request(website.url() + path, headers={"Host": host, **headers})
    with urllib.request.urlopen(asked, timeout=within) as answer:
        return answer.status, json.load(answer)


async def scored_news(one):
    """Wait until the dashboard shows news with sentiment."""
    for _ in range(60):
        assert await one.go("/dashboard") == http.HTTPStatus.OK
        if await one.page.locator(SCORED).count() >= 5:
            return
        await asyncio.sleep(1)
    pytest.fail(f"no news with sentiment:\n{await one.page.inner_text('main')}")


async def test_a_person_signs_up_reads_scored_news_and_opens_the_api(website, farm):
    async with browsing(website, "first@example.com") as one:
        await one.sign_up()
        await scored_news(one)
        assert "simulated" in (await one.page.inner_text("main")).lower()
        token = await one.make_token("report", scopes=["news:read", "quotes:read"])
        assert one.complaints == []

    bearer = {"Authorization": f"Bearer {token}"}
    status, told = await asyncio.to_thread(get, website, site.API, "/v1/news?limit=5", **bearer)
    assert status == http.HTTPStatus.OK
    assert len(told["items"]) == 5
    status, quote = await asyncio.to_thread(get, website, site.API, "/v1/quotes/AAPL", **bearer)
    assert (status, quote["symbol"], quote["simulated"]) == (http.HTTPStatus.OK, "AAPL", True)


def test_the_services_run_on_workers_and_the_stores_on_a_manager(website, farm):
    roles = {row["node"]: row["role"] for row in farm.nodes()}
    on = {
        name: {roles[task["node"]] for task in farm.tasks(f"services_{name}").values()}
        for name in (*OURS, "redis", "couchdb", "influxdb")
    }
    assert {name for name, held in on.items() if held == {"worker"}} == set(OURS)
    assert on["redis"] == on["couchdb"] == on["influxdb"] == {"manager"}


@pytest.mark.parametrize("path", ["/metrics", "/health/ready"])
def test_the_operators_routes_are_not_for_visitors(website, path):
    for host in (site.DOMAIN, site.API):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(website, host, path)
        assert refused.value.code == http.HTTPStatus.NOT_FOUND
        refused.value.close()


def test_deploying_again_moves_no_task(website, farm):
    names = [name for name in farm.specs() if name.startswith("services_")]
    before = {name: set(farm.tasks(name)) for name in names}
    version = farm.specs()["services_auth"]["TaskTemplate"]["ContainerSpec"]["Image"]
    tag = version.rpartition(":")[2] if "@" not in version else version.split("@")[0].split(":")[-1]
    site.spotswarm_deploy(website, site.SERVICES, {"VERSION": tag})
    assert {name: set(farm.tasks(name)) for name in names} == before


def test_a_version_that_does_not_exist_is_rolled_back_and_named(website, farm):
    before = farm.specs()["services_public_api"]["TaskTemplate"]["ContainerSpec"]["Image"]
    done = site.spotswarm_deploy(website, site.SERVICES, {"VERSION": "0.0.0-missing"}, check=False)
    assert done.returncode != 0
    assert "public_api" in done.stdout + done.stderr
    eventually(
        lambda: (
            farm.specs()["services_public_api"]["TaskTemplate"]["ContainerSpec"]["Image"] == before
        ),
        within=60,
        every=1,
        what="the old image",
    )
    eventually(farm.is_quiet, within=120, every=1, what="a quiet site")


async def test_a_worker_is_taken_under_a_persons_eyes_and_nothing_is_lost(website, farm):
    taken = await asyncio.to_thread(farm.runs, "services_webservice")
    plans = [
        traffic.Plan(website.addresses(), [site.DOMAIN], rate=4, path="/"),
        traffic.Plan(website.addresses(), [site.API], rate=8, path="/openapi.json"),
    ]
    pages = []
    async with browsing(website, "second@example.com") as one:
        await one.sign_up()
        with traffic.start(plans[0]) as front, traffic.start(plans[1]) as api:
            await asyncio.to_thread(farm.lab.market.interrupt, taken)
            await asyncio.to_thread(farm.lab.launch)
            gone = asyncio.create_task(asyncio.to_thread(farm.goes, taken, within=120))
            while not gone.done():
                pages.append(await one.go("/dashboard"))
                pages.append(await one.go("/tokens"))
                # Pages without a pause would take the CPU from the services that move.
                await asyncio.sleep(0.5)
            await gone
            reports = [await asyncio.to_thread(flow.stop) for flow in (front, api)]
        assert await one.page.get_by_role("button", name="Sign out", exact=True).count() == 1
    print(*reports, sep="\n")
    assert [report.lost for report in reports] == [0, 0]
    assert set(pages) == {http.HTTPStatus.OK}
    assert len(pages) >= 4


async def test_a_killed_store_leaves_the_rest_answering_and_loses_nothing(website, farm):
    async with browsing(website, "third@example.com") as one:
        await one.sign_up()
        token = await one.make_token("kept", scopes=["news:read"])
        for store in ("redis", "influxdb"):
            await asyncio.to_thread(kill, website, f"services_{store}")
            assert await one.go("/") == http.HTTPStatus.OK
        await asyncio.to_thread(
            lambda: eventually(farm.is_quiet, within=120, every=1, what="a quiet site")
        )
        await one.sign_out()
        await one.sign_in()
        assert await one.page.get_by_role("button", name="Sign out", exact=True).count() == 1
    bearer = {"Authorization": f"Bearer {token}"}
    status, _ = await asyncio.to_thread(get, website, site.API, "/v1/news?limit=1", **bearer)
    assert status == http.HTTPStatus.OK


def test_a_test_build_runs_its_own_tests_behind_the_operators_password(website, farm):
    """It comes last: the images of this deployment are not the ones of the others."""
    site.deploy(website.lab, tests=True, report=print)
    asked = f"{site.OPERATOR}:{website.password}".encode()
    operator = {"Authorization": f"Basic {base64.b64encode(asked).decode()}"}
    for name in OURS:
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(website, site.DOMAIN, f"/test/{name}")
        assert refused.value.code == http.HTTPStatus.UNAUTHORIZED
        refused.value.close()
    # Two processors, and a time limit in each build.
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(
            lambda name: get(website, site.DOMAIN, f"/test/{name}", within=330, **operator), OURS
        )
        for name, (status, told) in zip(OURS, answers, strict=True):
            assert status == http.HTTPStatus.OK
            assert (told["service"], told["failed"], told["errors"]) == (name, 0, 0), told[
                "failures"
            ]
            assert told["passed"] > 0
            assert told["coverage"]["percent"] > 0
            print(name, told["passed"], told["coverage"]["percent"], told["duration_seconds"])


def kill(website, service):
    """Kill a service's container the hard way, on whichever manager has it."""
    for machine in ingress.managers(website.lab):
        found = machine.docker("ps", "--quiet", "--filter", f"name={service}").split()
        if found:
            machine.docker("kill", *found)
            return
    pytest.fail(f"no container of {service} runs")
