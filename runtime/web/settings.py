"""Reads the services' settings from environment variables or from secret files.

Each field is read from the environment variable with the same name in capitals, or from the file
with the same name in `/run/secrets`. Rule: never print a value, not even an invalid value, because
it may be a misplaced password.
"""

import sys
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from runtime.web.serving import Stopping

EXIT_CONFIG: Final = 78
"""The exit code for invalid settings, EX_CONFIG in sysexits.h; a restart does not help."""
_SECRETS: Final = Path("/run/secrets")


class WebSettings(BaseSettings):
    """The settings that all services share."""

    model_config = SettingsConfigDict(
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "0.0.0.0"
    """The address to listen on."""
    port: int = Field(default=80, ge=1, le=65535)
    """The port to listen on."""
    linger_seconds: float = Field(default=5.0, ge=0)
    """How long to keep serving after SIGTERM. This time must be longer than the ingress's polling
    interval."""
    finish_seconds: float = Field(default=10.0, ge=0)
    """How long requests in flight may take after the service has stopped accepting requests."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest log level that is written. Requests are logged with level `info`."""
    test_build: bool = False
    """Whether to serve `/test`. Only images built for tests contain the necessary module."""

    @property
    def stopping(self) -> Stopping:
        """The time limits for stopping the service."""
        return Stopping(linger_seconds=self.linger_seconds, finish_seconds=self.finish_seconds)


S = TypeVar("S", bound=WebSettings)


def load(settings: type[S]) -> S:
    """Read the settings. If any settings are invalid, print an error for each and exit."""
    try:
        return settings()
    except ValidationError as exc:
        for fault in exc.errors(include_url=False, include_context=False, include_input=False):
            name = "_".join(map(str, fault["loc"])).upper()
            _say(
                f"the setting {name} is invalid: {fault['msg']}; set the variable {name} or the"
                f" secret /run/secrets/{name.lower()}"
            )
        sys.exit(EXIT_CONFIG)
    except SettingsError as exc:
        # The error names the field and its source, but contains no value.
        _say(f"{exc}; the value must be JSON")
        sys.exit(EXIT_CONFIG)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201  logging is not set up without settings
