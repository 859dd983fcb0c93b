from cli.cluster.following import Following


def planned(*tasks):
    return {
        "node": "n-1",
        "tasks": [
            {
                "name": f"{name}.1",
                "service": name,
                "state": "running",
                "fate": fate,
                "has_health_check": checked,
            }
            for name, fate, checked in tasks
        ],
    }


def task(name, manner="start-first", *, replaced=False, wanted=True):
    return {
        "name": name,
        "state": "running",
        "manner": manner,
        "is_wanted": wanted,
        "replaced": replaced,
    }


def row(stage, *tasks, drain_in=30.0, leave_in=60.0, known=True):
    return {
        "stage": stage,
        "tasks": tasks,
        "drain_in": drain_in,
        "leave_in": leave_in,
        "tasks_known": known,
    }


def seen(*rows):
    following = Following(planned())
    news = [line for one in rows for line in following.saw(one)]
    return following, news


def test_a_task_that_goes_while_the_node_is_emptied_was_moved():
    following, news = seen(
        row("evacuating", task("web.1"), task("web.2")),
        row("evacuating", task("web.1", replaced=True, wanted=False), task("web.2")),
        row("evacuating", task("web.2")),
        row("draining"),
        row("drained"),
    )

    assert news == ["web.1 moved", "web.2 moved"]
    assert following.outcome.moved == ["web.1", "web.2"]
    assert following.outcome.state == "drained"
    assert following.outcome.is_clean
    assert (following.gone, following.total) == (2, 2)


def test_a_drain_in_good_time_left_nothing_behind():
    following, _ = seen(row("evacuating", task("web.1")), row("draining", drain_in=12.0))

    assert following.outcome.moved == ["web.1"]


def test_what_was_drained_late_without_another_up_is_told():
    following, news = seen(
        row("evacuating", task("web.1"), task("web.2")),
        row(
            "draining",
            task("web.1", wanted=False),
            task("web.2", replaced=True, wanted=False),
            drain_in=0.0,
        ),
        row("drained"),
    )

    assert following.outcome.not_moved == ["web.1"]
    assert following.outcome.moved == ["web.2"]
    assert not following.outcome.is_clean
    assert "web.1 stopped before another was up: the time was over" in news


def test_what_swarm_is_to_stop_is_no_loss():
    following, news = seen(
        row("evacuating", task("db.1", "stop-first")),
        row("draining", task("db.1", "stop-first", wanted=False)),
        row("drained"),
    )

    assert news == ["db.1 stopped by Swarm's drain"]
    assert following.outcome.is_clean


def test_what_runs_to_its_end_either_ended_or_was_cut_off():
    job = task("job.1", "never")

    ended, _ = seen(row("evacuating", job), row("evacuating"))
    cut, _ = seen(row("evacuating", job), row("draining", drain_in=0.0, leave_in=0.0))

    assert ended.outcome.ended == ["job.1"]
    assert cut.outcome.cut_off == ["job.1"]


def test_what_still_runs_when_the_node_is_settled_was_cut_off():
    following, news = seen(
        row("evacuating", task("web.1")),
        row("drained", task("web.1", wanted=False), drain_in=0.0, leave_in=0.0),
    )

    assert following.outcome.cut_off == ["web.1"]
    assert "web.1 cut off: it still ran" in news


def test_a_look_without_tasks_says_nothing_of_them():
    following, news = seen(
        row("evacuating", task("web.1")),
        row("evacuating", known=False),
        row("drained", known=False),
    )

    assert not news
    assert not following.is_over


def test_a_node_that_is_no_more_has_left_with_what_was_on_it():
    following, _ = seen(row("evacuating", task("web.1"), task("web.2", replaced=True)))

    news = following.saw(None, is_member=False)

    assert news == ["web.1 cut off: it still ran"]
    assert following.outcome.state == "left"
    assert following.outcome.moved == ["web.2"]


def test_a_node_that_is_a_member_again_was_taken_back():
    back, _ = seen(row("evacuating", task("web.1")))
    assert not back.saw(None, is_member=True)
    assert back.outcome.state == "returned"
    assert not back.outcome.is_clean

    returning, _ = seen(row("returning"))
    assert returning.outcome.state == "returned"


def test_a_drain_that_is_not_seen_yet_is_waited_for():
    following = Following(planned())

    for _ in range(6):
        following.saw(None, is_member=True)
    assert not following.is_over
    following.saw(None, is_member=True)
    assert following.is_over


def test_a_new_task_of_an_old_name_is_the_one_that_counts():
    following, news = seen(
        row("evacuating", task("web.1", wanted=False), task("web.1")),
        row("evacuating", task("web.1", wanted=False), task("web.1", wanted=False)),
    )

    assert news == ["web.1 moved"]
    assert following.total == 1


def test_services_without_a_health_check_are_named_once():
    following = Following(
        planned(
            ("web", "moved", False),
            ("web", "moved", False),
            ("api", "moved", True),
            ("db", "drained", False),
        )
    )

    assert following.told()["without_health_check"] == ["web"]


def test_what_goes_before_the_first_look_is_counted():
    following = Following(
        planned(("web", "moved", True), ("db", "drained", False), ("old", "stopping", False))
    )

    following.saw(row("evacuating", task("db.1", "stop-first")))

    assert following.outcome.moved == ["web.1"]
    assert (following.gone, following.total) == (1, 2)
