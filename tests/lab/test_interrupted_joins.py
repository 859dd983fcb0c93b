"""A join cut off anywhere ends in a member all the same."""

from scenario import GOSSIP, RAFT, eventually


def swarm_state(machine):
    return machine.docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip()


def test_an_agent_killed_in_the_middle_of_a_join_joins_on_restart(scenario):
    worker = scenario.launch_idle()
    scenario.block(worker, RAFT)
    scenario.start_agent(worker)
    scenario.says(worker, "joining the swarm")

    before = scenario.main_pid(worker, "spotswarm-agent")
    worker.run("kill", "-9", before)

    eventually(
        lambda: scenario.main_pid(worker, "spotswarm-agent") not in {"0", before},
        what="a new agent",
    )
    scenario.unblock(worker, RAFT)
    scenario.serves(worker, within=90)


def test_an_engine_left_in_swarm_error_recovers(scenario):
    worker = scenario.launch_idle()
    # As after the agent's first start: this engine's state is this instance's.
    worker.run("mkdir", "-p", "/var/lib/spotswarm")
    worker.write("/var/lib/spotswarm/instance", worker.instance)
    token = scenario.leader().docker("swarm", "join-token", "-q", "worker").strip()
    nobody = f"{scenario.lab.places.network[250]}:2377"
    join = ("docker", "swarm", "join", "--token", token, nobody)
    worker.run(*join, check=False, timeout=60)
    eventually(lambda: swarm_state(worker) == "error", within=60, what="Swarm: error")

    scenario.start_agent(worker)

    scenario.serves(worker)
    assert "half joined" in worker.journal("spotswarm-agent")


def test_a_broker_killed_with_a_request_in_it_is_restarted_and_asked_again(scenario):
    worker = scenario.launch_idle()
    leader = scenario.leader()
    daemon = scenario.main_pid(leader, "spotswarm-leader")
    redis = leader.run("pidof", "redis-server").stdout.strip()

    leader.run("kill", "-STOP", daemon)
    try:
        scenario.start_agent(worker)
        scenario.says(worker, "asking to join")
        leader.run("kill", "-9", redis)
    finally:
        leader.run("kill", "-CONT", daemon)

    scenario.serves(worker)
    assert leader.run("pidof", "redis-server").stdout.strip() != redis
    assert scenario.main_pid(leader, "spotswarm-leader") == daemon


def test_a_leader_killed_between_binding_and_activation_is_carried_on_by_the_next(scenario):
    worker = scenario.launch_idle()
    scenario.block(worker, GOSSIP, chain="INPUT")
    scenario.start_agent(worker)
    half = eventually(lambda: scenario.node(worker.instance), what="the node bound")
    assert half["phase"] == "joining"
    assert half["availability"] == "drain"

    leader = scenario.leader()
    before = scenario.main_pid(leader, "spotswarm-leader")
    leader.run("kill", "-9", before)
    scenario.unblock(worker, GOSSIP, chain="INPUT")

    scenario.serves(worker)
    assert scenario.main_pid(leader, "spotswarm-leader") != before
    explained = scenario.ask_leader("explain", worker.instance)
    assert [decision["action"] for decision in explained["decisions"]][-1] == "ActivateNode"


def test_when_the_leaders_machine_is_lost_another_takes_address_and_broker(scenario):
    lost = scenario.leader()
    scenario.lab.kill(lost.instance)
    try:
        leader = scenario.leader(within=90)
        assert leader.instance != lost.instance
        eventually(
            lambda: (
                scenario.lab.aws("ec2").describe_addresses()["Addresses"][0]["InstanceId"]
                == leader.instance
            ),
            what="the Elastic IP at the new leader",
        )

        worker = scenario.launch()
        scenario.serves(worker, within=90)
    finally:
        scenario.lab.reboot(lost.instance)
    scenario.serves(lost, within=90)
