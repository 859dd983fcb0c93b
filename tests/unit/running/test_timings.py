import pytest
from timings import Timings, layer_of, summary


def report(nodeid, when, *, at, seconds):
    return pytest.TestReport(
        nodeid,
        (nodeid.partition("::")[0], 1, nodeid),
        {},
        "passed",
        None,
        when,
        duration=seconds,
        start=at,
        stop=at + seconds,
    )


def test_a_layer_adds_up_its_workers_and_spans_the_wall_time():
    timings = Timings()
    for nodeid, start in (("tests/lab/test_a.py::test_1", 5), ("tests/lab/test_b.py::test_2", 7)):
        timings.pytest_runtest_logreport(report(nodeid, "setup", at=start, seconds=2))
        timings.pytest_runtest_logreport(report(nodeid, "call", at=start + 2, seconds=4))

    (line,) = list(summary({}, timings.layers))

    assert line.strip() == "12.0 s in 2 lab tests, over 8.0 s of wall time"


def test_the_slowest_ten_are_named_and_their_groups_are_not():
    timings = Timings()
    for number in range(12):
        nodeid = f"tests/unit/test_a.py::test_{number}@lab-1"
        timings.pytest_runtest_logreport(report(nodeid, "call", at=number, seconds=number))

    lines = list(summary(timings.tests, {}))

    assert [line.split("::")[1] for line in lines] == [f"test_{n}" for n in range(11, 1, -1)]


@pytest.mark.parametrize(
    ("nodeid", "layer"),
    [
        ("tests/contract/services/test_ml.py::test_x[a/b]", "contract"),
        ("tests/unit/test_a.py::test_x", "unit"),
        ("elsewhere/test_a.py::test_x", "other"),
    ],
)
def test_a_layer_is_the_folder_below_tests(nodeid, layer):
    assert layer_of(nodeid) == layer
