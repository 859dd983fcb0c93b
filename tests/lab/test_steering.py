"""The operator drains and takes back, by command; what would do harm is refused."""

import json

from scenario import eventually

from lab.load import ingress

OK, REFUSED = 0, 7


def command(farm, *words):
    """Exit code and JSON (or the error) of a command on the leader's machine."""
    done = farm.leader().run("spotswarm", *words, check=False, timeout=150)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr


def test_a_worker_is_drained_under_load_and_returned(farm):
    drained = farm.runs("single")
    host = farm.node(drained)["hostname"]
    with farm.under_load():
        code, told = command(farm, "drain", host, "--json")
        assert code == OK, told
        assert told["outcome"]["state"] == "drained"
        assert "single.1" in told["outcome"]["moved"]
        assert not told["outcome"]["cut_off"]
        assert not told["outcome"]["not_moved"]
        assert farm.shows(drained, phase="drained")["availability"] == "drain"

        code, told = command(farm, "drain", host, "--json")
        assert code == REFUSED
        assert "already drained" in told

        code, told = command(farm, "return", host, "--json")
        assert (code, told["outcome"]["state"]) == (OK, "active")
        assert farm.shows(drained, phase=None)["availability"] == "active"
        code, told = command(farm, "return", host, "--json")
        assert code == REFUSED

    assert farm.state(drained) == "running"


def test_a_manager_is_demoted_drained_returned_and_promoted(farm):
    leader = farm.leader()
    others = [one for one in ingress.managers(farm.lab) if one.instance != leader.instance]
    drained, stays = others
    with farm.under_load(at=[leader, stays]):
        code, told = command(farm, "drain", drained.hostname, "--json")
        assert code == OK, told
        assert told["plan"]["is_demoted"]
        assert farm.shows(drained.instance, phase="drained")["role"] == "worker"

        code, told = command(farm, "return", drained.hostname, "--json")
        assert code == OK, told
        row = farm.shows(drained.instance, phase=None, role="manager", availability="active")
        eventually(
            lambda: farm.node(drained.instance)["reachability"] == "reachable",
            every=0.5,
            what="a manager that can be reached",
        )
        assert row["instance"] == drained.instance


def test_a_drain_that_would_lose_the_managers_majority_is_refused(farm):
    leader = farm.leader()
    others = [one for one in ingress.managers(farm.lab) if one.instance != leader.instance]
    cut, asked = others
    farm.lab.partition(cut.instance)
    try:
        farm.shows(cut.instance, reachability="unreachable")
        code, told = command(farm, "drain", asked.hostname)
    finally:
        farm.lab.heal(cut.instance)

    assert code == REFUSED
    assert "cannot be demoted" in told
    # The managers' gRPC connections to it back off while it is cut off.
    farm.shows(cut.instance, within=90, reachability="reachable", status="ready")
    assert farm.node(asked.instance)["role"] == "manager"


def test_a_dry_run_says_and_does_nothing(farm):
    before = farm.nodes(), farm.specs()
    busy = farm.node(farm.runs("single"))["hostname"]

    code, told = command(farm, "drain", busy, "--dry-run", "--json")
    assert (code, told["accepted"]) == (OK, False)
    assert "single.1" in {task["name"] for task in told["plan"]["tasks"]}
    code, told = command(farm, "rebalance", "--dry-run", "--json")
    assert (code, told["accepted"]) == (OK, False)
    assert {"single", "pair", "crowd"} <= {plan["name"] for plan in told["plans"]}

    assert (farm.nodes(), farm.specs()) == before


def test_a_task_that_must_be_alone_on_its_node_is_stranded_in_the_plan(farm):
    image = farm.specs()["single"]["TaskTemplate"]["ContainerSpec"]["Image"]
    workers = sum(row["role"] == "worker" for row in farm.nodes())
    options = (
        *(f"--replicas={workers}", "--replicas-max-per-node=1"),
        "--constraint=node.role==worker",
    )
    farm.leader().docker("service", "create", "--detach", "--name=alone", *options, image)
    try:
        eventually(lambda: farm.is_whole("alone"), every=0.5, what="a task on each worker")
        host = farm.node(farm.runs("alone"))["hostname"]

        def planned():
            """The leader lists tasks every few seconds, so it may not know this one yet."""
            code, told = command(farm, "drain", host, "--dry-run", "--json")
            assert (code, told["accepted"]) == (OK, False)
            tasks = [task for task in told["plan"]["tasks"] if task["service"] == "alone"]
            return (told, *tasks) if tasks else None

        told, fate = eventually(planned, every=1, what="the task in the plan")
        assert fate["fate"] == "stranded"
        assert "allows 1 task per node" in fate["why"]
        assert any(fate["name"] in warning for warning in told["plan"]["warnings"])
    finally:
        farm.leader().docker("service", "rm", "alone")
