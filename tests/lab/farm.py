"""Services under load on workers that come and go: what scenarios of leaving and spreading share.

Rule: whatever a scenario did, every service's spec is in the end byte for byte what it was, and
where the design promises it no request is lost; `under_load` holds every scenario to both.
"""

import http
import json
import re
import tomllib
from contextlib import contextmanager
from urllib.parse import quote

import tomli_w
from scenario import PATIENCE, Scenario, eventually

from lab.client import is_serving
from lab.host import LabError
from lab.load import ingress, traffic
from lab.load.web_service import WebService

WORKERS = 3
HASTY = {
    "hint_seconds": 18,
    "absent_seconds": 5,
    "down_seconds": 25,
    "rebalance_cooldown_seconds": 3,
    "removals_at_once": 20,
}
"""Leader's settings for scenarios: what else takes minutes."""
_LEADERS_USER_DATA = "/run/spotswarm/leader.toml"
_STAYS = {"spotswarm.rebalance": "no"}
SERVICES = (
    WebService("single", replicas=1, start_seconds=3, labels=_STAYS),
    WebService("pair", replicas=2, labels=_STAYS),
    WebService("crowd", replicas=4, labels=_STAYS),
)
"""Not spread again after each scenario: their tasks move when a node leaves, and then only."""
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_WANTED = ("running", "ready")
"""Desired states of tasks that are to be."""


class Farm(Scenario):
    """One scenario's dealings with the services and their workers."""

    def begin(self):
        """Three workers serve, nothing is under way, and every task answers at every ingress."""
        if short := WORKERS - len(self.workers()):
            self.lab.launch(count=short)
        try:
            eventually(self.is_quiet, within=90, every=0.5, what="a quiet farm", patience=1)
        except AssertionError:
            self.clear_away()
            eventually(self.is_quiet, within=90, every=0.5, what="a quiet farm")
        ingress.wait_served(self.lab, *SERVICES, within=PATIENCE * 60)

    def end(self):
        """Retire what is more than three workers, and launch for those that went; nobody waits."""
        living = self.workers()
        extra = [one for one in reversed(self.launched) if one in living][: len(living) - WORKERS]
        if len(living) > WORKERS and extra:
            self.lab.terminate(*extra)
            self.forget(*extra)
        elif len(living) < WORKERS:
            self.lab.launch(count=WORKERS - len(living))

    def clear_away(self):
        """After a scenario that failed half-way: whatever does not serve goes."""
        rows = self.nodes()
        stuck = [row for row in rows if row["role"] == "worker" and not is_serving(row)]
        serving = {row["instance"] for row in rows if is_serving(row)}
        if gone := [one for one in self.workers() if one not in serving]:
            self.lab.terminate(*gone)
        self.forget(*(row["instance"] for row in stuck))
        if short := WORKERS - len(self.workers()):
            self.lab.launch(count=short)

    def forget(self, *instances):
        """Remove the nodes of instances that were ended by hand."""

        def removed():
            rows = [row for row in self.nodes() if row["instance"] in instances]
            for row in rows:
                self.leader_said("docker", "node", "rm", "--force", row["node"])
            return not rows

        eventually(removed, within=60, every=0.5, what="removed nodes")

    # -- asking, without starting a process in a machine each time

    def swarm(self, path, **filters):
        """What the engine of a manager answers at a path; asks until one does."""
        wanted = quote(json.dumps({name: list(values) for name, values in filters.items()}))

        def answer():
            for machine in ingress.managers(self.lab):
                try:
                    status, found = machine.ask_engine(f"/{path}?filters={wanted}")
                except (OSError, LabError):
                    continue
                if status == http.HTTPStatus.OK:
                    return [found]
            return None

        return eventually(answer, what=f"an answer at {path}")[0]

    def leader_said(self, *argv):
        """Output of a command on the leader's machine; None when it fails."""
        try:
            if self._leads is None:
                self._leads = self.leader(within=90)
            done = self._leads.run(*argv, check=False, timeout=20)
        except LabError:
            self._leads = None
            return None
        return done.stdout if done.returncode == 0 else None

    def nodes(self):
        """The leader's rows of nodes."""
        return eventually(lambda: self.asked("nodes"), within=90, every=0.5, what="a leader")

    def node(self, instance):
        rows = [row for row in self.nodes() if row["instance"] == instance]
        return max(rows, key=lambda row: row["created"], default=None)

    def workers(self):
        """Instances of workers that run, by EC2's word; oldest first."""
        found = [
            one
            for page in self.lab.aws("ec2").describe_instances()["Reservations"]
            for one in page["Instances"]
            if one["State"]["Name"] in {"pending", "running"}
            and {"Key": "spotswarm:role", "Value": "worker"} in one["Tags"]
        ]
        return [one["InstanceId"] for one in sorted(found, key=lambda one: one["LaunchTime"])]

    def state(self, instance):
        """EC2's word on an instance."""
        found = self.lab.aws("ec2").describe_instances(InstanceIds=[instance])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"]

    def is_quiet(self):
        """Whether all workers serve, none is on its way, and no task is."""
        rows = self.nodes()
        workers = [row for row in rows if row["role"] == "worker"]
        if {row["instance"] for row in workers} != set(self.workers()):
            return False
        if not all(is_serving(row) and row["phase"] is None for row in rows):
            return False
        specs = self.specs()
        return (
            len(workers) >= WORKERS
            and not any("spotswarm.loan" in spec["Labels"] for spec in specs.values())
            and self.is_whole(*specs)
        )

    def is_whole(self, *services):
        """Whether all tasks of these services run."""
        specs = self.specs()
        for name in services:
            states = [one["state"] for one in self.tasks(name).values()]
            mode = specs[name]["Mode"]
            # A global service is the ingress: a task that is being replaced loses requests.
            wanted = mode["Replicated"]["Replicas"] if "Replicated" in mode else len(states)
            if states != ["running"] * wanted:
                return False
        return True

    def specs(self):
        """Service name → its whole spec."""
        return {one["Spec"]["Name"]: one["Spec"] for one in self.swarm("services")}

    def tasks(self, service):
        """Task id → node and state, of those that are wanted."""
        listed = self.swarm("tasks", **{"service": [service], "desired-state": _WANTED})
        return {
            task["ID"]: {"node": task["NodeID"], "state": task["Status"]["State"]}
            for task in listed
            if task.get("NodeID")
        }

    def runs(self, service):
        """The instance that runs the first task of a service."""
        nodes = {row["node"]: row["instance"] for row in self.nodes()}
        return next(nodes[task["node"]] for task in self.tasks(service).values())

    def counts(self, service):
        """How many tasks of a service nodes have, the fullest first; idle workers count."""
        held = {row["node"]: 0 for row in self.nodes() if row["role"] == "worker"}
        for task in self.tasks(service).values():
            held[task["node"]] = held.get(task["node"], 0) + 1
        return sorted(held.values(), reverse=True)

    def metrics(self):
        """Name and labels → value, of the leader's metrics."""
        said = eventually(
            lambda: self.leader_said("curl", "-sf", "http://127.0.0.1:9180/metrics"),
            every=0.5,
            what="metrics",
        )
        return {
            name + (f"{{{labels}}}" if labels else ""): float(value)
            for name, labels, value in _SAMPLE.findall(said)
        }

    def done(self, action):
        """How often the leader has carried out an action."""
        name = f'spotswarm_actions_total{{action="{action}",outcome="done"}}'
        return self.metrics().get(name, 0)

    def decided(self, name):
        """The leader's decisions on a node or service: action and reason."""
        told = eventually(lambda: self.asked(f"explain/{name}"), what=f"decisions on {name}")
        return [(one["action"], one["reason"]) for one in told["decisions"]]

    # -- waiting

    def shows(self, instance, within=30.0, **wanted):
        """Wait until an instance's node row has these values; returns the row."""

        def is_so():
            row = self.node(instance) or {}
            return row if all(row.get(key) == value for key, value in wanted.items()) else None

        return eventually(is_so, within=within, every=0.3, what=f"{instance} with {wanted}")

    def goes(self, *instances, within=60.0):
        """Wait until nodes are removed and their instances terminated."""

        def gone():
            listed = {row["instance"] for row in self.nodes()}
            states = {one: self.state(one) for one in instances}
            left = {one: states[one] for one in instances if one in listed}
            return not left and set(states.values()) == {"terminated"}

        eventually(gone, within=within, every=0.5, what=f"{instances} gone")

    def lends(self, within=30.0):
        """Wait until something is borrowed of a service; returns the services' names."""

        def lent():
            return [
                name for name, spec in self.specs().items() if "spotswarm.loan" in spec["Labels"]
            ]

        return eventually(lent, within=within, what="a loan")

    @contextmanager
    def leader_settings(self, **changed):
        """Run the leader with other settings; a restarted leader remembers no decisions."""
        leader = self.leader()
        own = leader.run("cat", _LEADERS_USER_DATA).stdout
        table = tomllib.loads(own)
        table["leader"] |= changed
        self._configure(leader, "#spotswarm\n" + tomli_w.dumps(table, multiline_strings=True))
        try:
            yield
        finally:
            self._configure(leader, own)

    def _configure(self, leader, text):
        leader.write(_LEADERS_USER_DATA, text)
        leader.run("systemctl", "restart", "spotswarm-leader", timeout=60)

    def kill_daemon(self, machine, unit):
        """Kill a daemon as a crash would; returns the old process id."""
        before = self.main_pid(machine, unit)
        machine.run("kill", "-9", before)
        return before

    # -- the two promises

    @contextmanager
    def under_load(self, *services, rate=12.0, at=None, loses_nothing=True, ends_whole=True):
        """Traffic to services (all if none is given) at every manager's ingress, or at some.

        Goes on until every spec is what it was and every task runs again. Yields a list that has
        the report when it is over.
        """
        services = services or SERVICES
        names = [one.name for one in services]
        before = self.specs()
        addresses = [one.address for one in (at or ingress.managers(self.lab))]
        # A slow answer is not a lost one: the host may be busy with other tests.
        plan = traffic.Plan(
            addresses, [one.host for one in services], rate=rate, timeout_seconds=PATIENCE * 10
        )
        reports = []
        with traffic.start(plan) as flow:
            yield reports
            if ends_whole:
                self.leaves_no_trace({name: before[name] for name in names})
        reports.append(flow.stop())
        print(reports[0])
        if loses_nothing:
            assert reports[0].lost == 0, f"requests were lost:\n{reports[0]}"

    def leaves_no_trace(self, before, within=60.0):
        """Wait until these services' specs are what they were, and their tasks run."""

        def is_so():
            specs = self.specs()
            changed = {name: specs.get(name) for name in before if specs.get(name) != before[name]}
            return None if changed or not self.is_whole(*before) else before

        eventually(is_so, within=within, every=0.5, what="specs and tasks as before")
