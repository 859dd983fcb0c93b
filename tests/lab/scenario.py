"""What scenarios share: waiting with a deadline, launching, asking the leader, looking inside."""

import http
import json
import time
import tomllib
from datetime import UTC, datetime

import tomli_w

from lab.client import is_serving
from lab.host import LabError
from lab.load import ingress
from lab.machines.machine import running_managers

BASE = 6
PATIENCE = 4
"""How many times longer than on a quiet host a step may take."""
GOSSIP, RAFT = 7946, 2377


def eventually(check, within=30.0, what="it", every=0.1, patience=PATIENCE):
    """The first true value of `check`; the test fails if there is none in time.

    `within` is the time in seconds that suffices on a quiet host. The failure says what was seen
    last. Where the time is what a test claims, `patience` is 1.
    """
    limit = patience * within
    deadline = time.monotonic() + limit
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {limit:.0f} s: {found!r}")
        time.sleep(every)


class Scenario:
    """One test's dealings with the cluster."""

    def __init__(self, lab):
        self.lab = lab
        self.launched = []
        self._leads = None
        self.begun = datetime.now(UTC)

    def launch(self, **said):
        """Launch one instance (or `count`); waits until its engine answers."""
        ids = self.lab.launch(**said)
        self.launched += ids
        self.lab.wait_machines(*ids, within=PATIENCE * 60)
        machines = [self.lab.machine(one) for one in ids]
        return machines if "count" in said else machines[0]

    def launch_idle(self, **said):
        """An instance whose agent has not started yet; `start_agent` starts it."""
        return self.launch(agent_enabled=False, **said)

    def start_agent(self, machine):
        machine.run("systemctl", "unmask", "spotswarm-agent.service")
        machine.run("systemctl", "start", "--no-block", "spotswarm-agent.service")

    def user_data(self, **changed):
        """A worker's user data with some settings changed."""
        table = tomllib.loads(self.lab.user_data("worker")) | changed
        return "#spotswarm\n" + tomli_w.dumps(table, multiline_strings=True)

    def node(self, instance):
        """The instance's newest node entry, or None."""
        rows = [row for row in self.lab.nodes() if row["instance"] == instance]
        return max(rows, key=lambda row: row["created"], default=None)

    def serves(self, *machines, within=60.0):
        """Wait until the instances' nodes are Ready, active and labelled."""
        wanted = {machine.instance for machine in machines}

        def all_serve():
            serving = {row["instance"] for row in self.lab.nodes() if is_serving(row)}
            return wanted <= serving

        try:
            eventually(all_serve, within=within, what=f"{wanted} serving")
        except AssertionError as exc:
            words = "\n".join(self.lab.last_words(machine) for machine in machines)
            raise AssertionError(f"{exc}\n{words}") from None

    def leader(self, within=60.0):
        """The machine whose leader daemon is active."""
        return eventually(self._leader, within=within, what="an active leader")

    def _leader(self):
        for machine in self.lab.machines():
            try:
                if machine.record.role != "manager":
                    continue
                _, status = machine.ask_leader("/status")
            except (OSError, LabError):  # a machine without power, or gone, has no status
                continue
            if status["stance"] == "leading" and status.get("healthy"):
                return machine
        return None

    def asked(self, path):
        """What the leader's admin API answers at a path; None when nobody leads or knows."""
        for machine in sorted(ingress.managers(self.lab), key=lambda one: one != self._leads):
            try:
                status, answer = machine.ask_leader(f"/{path}")
            except (OSError, LabError):
                continue
            if status == http.HTTPStatus.OK:
                self._leads = machine
                return answer
        return None

    def ask_leader(self, *words):
        return json.loads(self.leader().run("spotswarm", *words, "--json", check=False).stdout)

    def denial(self, code, *, instance="", within=60.0):
        """Wait for a denial with this code in `spotswarm joins`; returns it."""

        def denied():
            for join in self.asked("joins") or ():
                is_new = datetime.fromisoformat(join["at"]) >= self.begun
                if is_new and join["code"] == code and join["instance"] in {instance, ""}:
                    return join
            return None

        return eventually(denied, within=within, what=f"a denial {code}")

    def status_line(self, machine, unit="spotswarm-agent"):
        return machine.run(
            "systemctl", "show", "-P", "StatusText", unit, check=False
        ).stdout.strip()

    def says(self, machine, words, within=60.0):
        """Wait until the agent's status line holds these words."""
        eventually(
            lambda: words in self.status_line(machine),
            within=within,
            what=f"{words!r} in the status of {machine.hostname}",
        )

    def main_pid(self, machine, unit):
        return machine.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()

    def block(self, machine, port, chain="OUTPUT"):
        machine.run("iptables", "-I", chain, "-p", "tcp", "--dport", str(port), "-j", "DROP")

    def unblock(self, machine, port, chain="OUTPUT"):
        machine.run("iptables", "-D", chain, "-p", "tcp", "--dport", str(port), "-j", "DROP")

    def is_in_swarm(self, machine):
        return self.node(machine.instance) is not None

    def last_words(self):
        words = []
        for instance in self.launched:
            try:
                words.append(self.lab.last_words(self.lab.machine(instance)))
            except Exception as exc:  # noqa: BLE001  the report must not hide the failure
                words.append(f"{instance}: {exc}")
        words.extend(
            self.lab.last_words(machine)
            for machine in running_managers(self.lab.places)
            if machine.instance not in self.launched
        )
        return "\n\n".join(words)

    def end(self):
        """Terminate what was launched and remove its nodes: the next scenario starts with six."""
        if not self.launched:
            return
        gone = set(self.launched)
        self.lab.terminate(*gone)
        leader = self.leader()

        def removed():
            rows = [
                row for row in self.lab.nodes() if row["instance"] in gone or not row["instance"]
            ]
            for row in rows:
                if row["role"] == "manager":
                    leader.run("docker", "node", "demote", row["node"], check=False)
                leader.run("docker", "node", "rm", "--force", row["node"], check=False)
            machines = {machine.instance for machine in self.lab.machines()}
            return not rows and not machines & gone

        eventually(removed, within=60, what="the scenario's nodes and machines gone")
