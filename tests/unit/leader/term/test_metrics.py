from prometheus_client import generate_latest

from leader.term.metrics import Metrics


def test_what_needs_attention_is_counted_for_as_long_as_it_does():
    metrics = Metrics()
    rows = [{"service": "web", "tasks": 5}, {"service": "api", "tasks": 2}]

    said = {"refusals": [{"about": "x"}], "pending_tasks": rows}
    metrics.follow_attention(lambda: said)
    shown = generate_latest(metrics.registry).decode()
    assert "\nspotswarm_refusals 1.0\n" in shown
    assert "\nspotswarm_tasks_pending 7.0\n" in shown
    assert "web" not in shown

    said.clear()
    shown = generate_latest(metrics.registry).decode()
    assert "\nspotswarm_refusals 0.0\n" in shown
    assert "\nspotswarm_tasks_pending 0.0\n" in shown
