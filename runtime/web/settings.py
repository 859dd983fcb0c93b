"""What services are told from outside: environment variables, or files of secrets.

Rule: a field is an environment variable in capitals or a file of its name in `/run/secrets`. No
value is ever printed, not even a wrong one: it may be a password in the wrong place.
"""

import sys
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from runtime.web.serving import Stopping

EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""
_SECRETS: Final = Path("/run/secrets")


class WebSettings(BaseSettings):
    """What every service is told."""

    model_config = SettingsConfigDict(
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "0.0.0.0"
    """The address it listens on."""
    port: int = Field(default=80, ge=1, le=65535)
    """The port it listens on."""
    linger_seconds: float = Field(default=5.0, ge=0)
    """How long it goes on serving after SIGTERM; longer than the ingress's refresh."""
    finish_seconds: float = Field(default=10.0, ge=0)
    """How long requests in flight may take after that."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged at least. Requests are `info`."""
    test_build: bool = False
    """Serve `/test`. Only images built for tests have what it needs."""

    @property
    def stopping(self) -> Stopping:
        """How the service ends."""
        return Stopping(linger_seconds=self.linger_seconds, finish_seconds=self.finish_seconds)


S = TypeVar("S", bound=WebSettings)


def load(settings: type[S]) -> S:
    """Read the settings; ends the process with a sentence for each that is wrong."""
    try:
        return settings()
    except ValidationError as exc:
        for one in exc.errors(include_url=False, include_context=False, include_input=False):
            name = "_".join(map(str, one["loc"])).upper()
            _say(
                f"setting {name}: {one['msg']}; set the variable {name} or the secret"
                f" /run/secrets/{name.lower()}"
            )
        sys.exit(EXIT_CONFIG)
    except SettingsError as exc:
        # Names the field and where it was read, and no value.
        _say(f"{exc}: JSON is expected there")
        sys.exit(EXIT_CONFIG)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201  there is no log before there are settings
