"""Settings from variables and files, and what is said of wrong ones."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.web.settings import EXIT_CONFIG, WebSettings, load


class Example(WebSettings):
    """A service's settings."""

    store_password: SecretStr = SecretStr("")
    limits: tuple[int, ...] = ()


def test_a_variable_in_capitals_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("LINGER_SECONDS", "7")
    told = load(Example)
    assert told.port == 8123
    assert told.stopping.grace_seconds == 7 + told.finish_seconds


def test_a_file_of_its_name_is_a_secret(tmp_path: Path) -> None:
    class Mounted(Example):
        """With its secrets elsewhere."""

        model_config = SettingsConfigDict(secrets_dir=tmp_path)

    (tmp_path / "store_password").write_text("hunter2\n")
    told = load(Mounted)
    assert told.store_password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "hunter2"), ("PORT", "70000"), ("LIMITS", "hunter2"), ("LOG_LEVEL", "hunter2")],
)
def test_a_wrong_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as raised:
        load(Example)
    assert raised.value.code == EXIT_CONFIG
    said = capsys.readouterr().err
    assert name in said.upper()
    assert value not in said
