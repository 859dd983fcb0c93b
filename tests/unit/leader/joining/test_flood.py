from leader.joining.flood import FloodMeter


def test_a_few_dropped_messages_are_no_flood():
    meter = FloodMeter()
    for second in range(60):
        meter.count(float(second), 10)

    assert meter.per_second(59.5) == 10
    assert not meter.is_flooded(59.5)


def test_a_flood_is_seen_within_a_second_and_ends_after_a_while():
    meter = FloodMeter()
    for step in range(10):
        meter.count(100 + step / 10, 1000)

    assert meter.is_flooded(101.0)
    assert meter.per_second(101.0) == 2000
    assert meter.is_flooded(114.0)
    assert not meter.is_flooded(116.0)
    assert meter.per_second(116.0) == 0


def test_nothing_dropped_changes_nothing():
    meter = FloodMeter()
    meter.count(1.0, 0)

    assert meter.per_second(1.0) == 0
    assert not meter.is_flooded(1.0)
