import math

import pytest

from lab.load.fates import Fate, Loss, Report


def fate(due, outcome="ok", *, host="a", latency=0.01, lag=0.0, task=""):
    return Fate(host, due, lag, latency, outcome, task)


def report(*fates):
    return Report(fates, 0.0, 10.0)


def test_everything_but_an_answer_of_200_is_lost_and_counted_by_kind():
    seen = report(fate(1), fate(2, "404"), fate(3, "timed out"), fate(4, "404"), fate(5))

    assert (seen.sent, seen.ok, seen.lost) == (5, 2, 3)
    assert seen.losses == {"404": Loss(2, 2, 4), "timed out": Loss(1, 3, 3)}


def test_latency_is_that_of_answered_requests_alone():
    seen = report(*(fate(i, latency=i / 100) for i in range(1, 101)), fate(101, "cut", latency=9))

    assert seen.latency(0.5) == pytest.approx(0.50)
    assert seen.latency(0.99) == pytest.approx(0.99)
    assert seen.latency(1) == pytest.approx(1.00)
    assert math.isnan(report(fate(1, "cut")).latency(0.99))


def test_a_window_takes_the_requests_due_in_it():
    seen = report(fate(1), fate(2, latency=5), fate(3)).between(2, 3)

    assert (seen.sent, seen.began, seen.ended) == (1, 2, 3)
    assert seen.latency(0.99) == 5


def test_a_client_that_was_late_says_so():
    seen = report(fate(1), fate(2, lag=0.25))

    assert seen.lag() == 0.25
    assert "250 ms at most" in str(seen)


def test_services_are_told_apart_and_so_are_the_tasks_that_answered():
    seen = report(fate(1, task="x"), fate(2, host="b", task="y"), fate(3, "502", host="b"))

    assert seen.hosts == ["a", "b"]
    assert seen.of("b").lost == 1
    assert seen.of("a").tasks == {"x"}


def test_a_report_survives_the_way_between_two_processes():
    seen = report(fate(1, task="x"), fate(2, "502"))

    assert Report.parse(seen.dump()) == seen
