import pytest

from cli.terminal.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("2m", 120),
        ("120", 120),
        ("1m30s", 90),
        ("1h", 3600),
        (" 5s ", 5),
        ("1h1", 3601),
    ],
)
def test_durations_are_read_as_people_write_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "soon", "-5s", "1.5m", "5d", "s", "30s1m"])
def test_anything_else_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(ValueError, match="write 90s, 2m or 1m30s"):
        seconds(text)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m"])
def test_a_duration_of_zero_is_called_too_short(text):
    with pytest.raises(ValueError, match="is too short"):
        seconds(text)
