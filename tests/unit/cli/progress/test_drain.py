from cli.progress.drain import DrainProgress


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


def after(*rows):
    progress = DrainProgress(planned())
    news = [line for look in rows for line in progress.update(look)]
    return progress, news


def test_a_task_that_leaves_while_the_node_is_emptied_was_moved():
    progress, news = after(
        row("evacuating", task("web.1"), task("web.2")),
        row("evacuating", task("web.1", replaced=True, wanted=False), task("web.2")),
        row("evacuating", task("web.2")),
        row("draining"),
        row("drained"),
    )

    assert news == ["web.1 was moved", "web.2 was moved"]
    assert progress.outcome.moved == ["web.1", "web.2"]
    assert progress.outcome.state == "drained"
    assert progress.outcome.is_clean
    assert (progress.gone, progress.total) == (2, 2)


def test_a_task_that_leaves_before_the_drain_is_due_was_moved():
    progress, _ = after(row("evacuating", task("web.1")), row("draining", drain_in=12.0))

    assert progress.outcome.moved == ["web.1"]


def test_a_task_drained_late_without_a_replacement_is_reported():
    progress, news = after(
        row("evacuating", task("web.1"), task("web.2")),
        row(
            "draining",
            task("web.1", wanted=False),
            task("web.2", replaced=True, wanted=False),
            drain_in=0.0,
        ),
        row("drained"),
    )

    assert progress.outcome.not_moved == ["web.1"]
    assert progress.outcome.moved == ["web.2"]
    assert not progress.outcome.is_clean
    assert "web.1 was stopped before its replacement was up, because time ran out" in news


def test_a_task_that_swarm_is_meant_to_stop_is_not_a_loss():
    progress, news = after(
        row("evacuating", task("db.1", "stop-first")),
        row("draining", task("db.1", "stop-first", wanted=False)),
        row("drained"),
    )

    assert news == ["db.1 was stopped by Swarm's drain"]
    assert progress.outcome.is_clean


def test_a_job_either_ended_or_was_cut_off():
    job = task("job.1", "never")

    ended, _ = after(row("evacuating", job), row("evacuating"))
    cut, _ = after(row("evacuating", job), row("draining", drain_in=0.0, leave_in=0.0))

    assert ended.outcome.ended == ["job.1"]
    assert cut.outcome.cut_off == ["job.1"]


def test_a_task_still_running_on_a_drained_node_was_cut_off():
    progress, news = after(
        row("evacuating", task("web.1")),
        row("drained", task("web.1", wanted=False), drain_in=0.0, leave_in=0.0),
    )

    assert progress.outcome.cut_off == ["web.1"]
    assert "web.1 was cut off while it was still running" in news


def test_a_look_with_unknown_tasks_changes_nothing():
    progress, news = after(
        row("evacuating", task("web.1")),
        row("evacuating", known=False),
        row("drained", known=False),
    )

    assert not news
    assert not progress.is_over


def test_a_node_that_disappears_cuts_off_its_tasks_without_replacement():
    progress, _ = after(row("evacuating", task("web.1"), task("web.2", replaced=True)))

    news = progress.update(None, is_member=False)

    assert news == ["web.1 was cut off while it was still running"]
    assert progress.outcome.state == "left"
    assert progress.outcome.moved == ["web.2"]


def test_a_node_that_is_not_leaving_any_more_was_taken_back():
    back, _ = after(row("evacuating", task("web.1")))
    assert not back.update(None, is_member=True)
    assert back.outcome.state == "returned"
    assert not back.outcome.is_clean

    returning, _ = after(row("returning"))
    assert returning.outcome.state == "returned"


def test_a_drain_that_has_not_begun_is_waited_for():
    progress = DrainProgress(planned())

    for _ in range(6):
        progress.update(None, is_member=True)
    assert not progress.is_over
    progress.update(None, is_member=True)
    assert progress.is_over


def test_of_two_tasks_with_one_name_the_wanted_one_counts():
    progress, news = after(
        row("evacuating", task("web.1", wanted=False), task("web.1")),
        row("evacuating", task("web.1", wanted=False), task("web.1", wanted=False)),
    )

    assert news == ["web.1 was moved"]
    assert progress.total == 1


def test_services_without_a_health_check_are_named_once():
    progress = DrainProgress(
        planned(
            ("web", "moved", False),
            ("web", "moved", False),
            ("api", "moved", True),
            ("db", "drained", False),
        )
    )

    assert progress.as_json()["without_health_check"] == ["web"]


def test_a_task_that_leaves_before_the_first_look_is_counted():
    progress = DrainProgress(
        planned(("web", "moved", True), ("db", "drained", False), ("old", "stopping", False))
    )

    progress.update(row("evacuating", task("db.1", "stop-first")))

    assert progress.outcome.moved == ["web.1"]
    assert (progress.gone, progress.total) == (1, 2)


def test_a_job_that_runs_on_after_the_drain_is_not_cut_off():
    job = task("job.1", "never") | {"is_job": True}
    progress, news = after(row("draining", job), row("drained", job, leave_in=0.0))

    assert news == []
    assert progress.outcome.still_running == ["job.1"]
    assert progress.outcome.cut_off == []
    assert progress.outcome.is_clean


def test_a_task_that_is_not_a_jobs_is_cut_off_by_the_drain():
    never = task("batch.1", "never") | {"is_job": False}
    progress, news = after(row("draining", never), row("drained", never, leave_in=0.0))

    assert news == ["batch.1 was cut off while it was still running"]
    assert not progress.outcome.is_clean


def test_a_stranded_task_of_the_plan_that_was_drained_was_not_moved():
    progress = DrainProgress(planned(("ml", "stranded", True)))
    news = progress.update(row("draining", drain_in=0.0))

    assert progress.outcome.not_moved == ["ml.1"]
    assert "stopped before its replacement was up" in news[0]
