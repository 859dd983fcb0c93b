"""Settings of the services, from environment variables or from files with secrets.

Rule: a field's value is in the environment variable of its name in capitals, or in the file of
its name in `/run/secrets`. Never print a value, not even a wrong one: it may be a misplaced
password.
"""

import sys
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from runtime.web.serving import Stopping

EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h: a restart will not help."""
_SECRETS: Final = Path("/run/secrets")


class WebSettings(BaseSettings):
    """The settings that every service has."""

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
    """How long to keep serving after SIGTERM; longer than the ingress's polling interval."""
    finish_seconds: float = Field(default=10.0, ge=0)
    """How long requests in flight may take after that."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged. Requests have level `info`."""
    test_build: bool = False
    """Whether to serve `/test`. Only images built for tests contain what it needs."""

    @property
    def stopping(self) -> Stopping:
        """How the service stops."""
        return Stopping(linger_seconds=self.linger_seconds, finish_seconds=self.finish_seconds)


S = TypeVar("S", bound=WebSettings)


def load(settings: type[S]) -> S:
    """Read the settings; if any is wrong, print a sentence for each and end the process."""
    try:
        return settings()
    except ValidationError as exc:
        for fault in exc.errors(include_url=False, include_context=False, include_input=False):
            name = "_".join(map(str, fault["loc"])).upper()
            _say(
                f"setting {name}: {fault['msg']}; set the variable {name} or the secret"
                f" /run/secrets/{name.lower()}"
            )
        sys.exit(EXIT_CONFIG)
    except SettingsError as exc:
        # The message names the field and its source, but no value.
        _say(f"{exc}: JSON is expected there")
        sys.exit(EXIT_CONFIG)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201  there is no log without settings
