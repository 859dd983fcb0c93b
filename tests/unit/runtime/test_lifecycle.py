"""A process that ends because of a bug says where, and quotes no value."""

from pydantic import BaseModel
from structlog.testing import capture_logs

from runtime.lifecycle import EXIT_BUG, EXIT_OK, run

SECRET = "example-secret"


class Document(BaseModel):
    number: int


async def _fail():
    Document(number=SECRET)


async def _end():
    return


def test_a_bug_is_logged_without_the_values_that_the_exception_quotes():
    with capture_logs() as logs:
        code = run(_fail(), name="test")

    assert code == EXIT_BUG
    (line,) = logs
    assert line["cause"].startswith("ValidationError")
    assert "in _fail" in line["traceback"]
    assert SECRET not in str(logs)


def test_a_process_that_is_done_ends_well():
    assert run(_end(), name="test") == EXIT_OK
