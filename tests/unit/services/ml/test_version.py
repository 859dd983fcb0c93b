"""The version says which analysis this is."""

from services.ml import version


def test_whoever_changes_the_data_raises_the_version() -> None:
    told = (
        "the data of ml changed: raise VERSION in services/ml/version.py, if an analysis can say"
        f" another thing now, and set DATA there to {version.digest()}"
    )
    assert version.digest() == version.DATA, told


def test_older_is_older_and_newer_is_left_alone() -> None:
    assert version.is_older(str(int(version.VERSION) - 1))
    assert version.is_older("what nobody knows")
    assert not version.is_older(version.VERSION)
    assert not version.is_older(str(int(version.VERSION) + 10))
