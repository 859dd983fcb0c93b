"""The version of the analysis."""

from services.ml import version


def test_a_change_of_the_data_raises_the_version() -> None:
    instruction = (
        "the data of ml has changed: raise VERSION in services/ml/version.py if that can change"
        f" an analysis, and set DATA there to {version.digest()}"
    )
    assert version.digest() == version.DATA, instruction


def test_lower_and_unknown_versions_are_older_and_higher_ones_are_not() -> None:
    assert version.is_older(str(int(version.VERSION) - 1))
    assert version.is_older("what nobody knows")
    assert not version.is_older(version.VERSION)
    assert not version.is_older(str(int(version.VERSION) + 10))
