import pytest
from examples import Examples, tried
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.statistics import collector, describe_statistics


def report(nodeid, count=None, *, seconds=1800.0, outcome="passed", when="call"):
    made = pytest.TestReport(
        nodeid,
        ("test_a.py", 1, nodeid),
        {},
        outcome,
        None,
        when,
        duration=seconds,
        start=0.0,
        stop=seconds,
    )
    if count is not None:
        made.user_properties.append(("property inputs", count))
    return made


def test_the_figures_add_up_all_properties():
    examples = Examples(is_fuzz=True)
    for one in (
        report("a", 1000),
        report("a", 1000, when="teardown"),
        report("b", 234, outcome="failed"),
        report("no property"),
    ):
        examples.pytest_runtest_logreport(one)

    assert examples.figures() == [
        "1,234 inputs in 2 properties, 1.00 h of test time in 0.50 h, 1 faults",
        "fault: b",
    ]


def test_inputs_are_counted_as_hypothesis_counts_them():
    """Of this Hypothesis: its text may change, and the figures would then be zero."""
    collected = []

    @settings(max_examples=37, database=None)
    @given(st.integers())
    def holds(number):
        assert isinstance(number, int)

    with collector.with_value(collected.append):
        holds()

    assert tried(describe_statistics(collected[0])) == 37
