"""What auth refuses with, where more than one module does."""

from runtime.web.problems import Problem


def wrong_field(name: str, said: str) -> Problem:
    """A field is wrong; `said` is for who filled it in and does not repeat what he wrote."""
    errors = [{"field": name, "detail": said}]
    return Problem(status=422, title="A field is wrong", detail=said, extra={"errors": errors})


def unknown_token() -> Problem:
    """The token is nobody's, in the same words whatever became of it."""
    return Problem(
        status=401,
        title="This token is not known",
        detail="It has ended, was revoked, or was never ours. Log in again.",
        headers={"WWW-Authenticate": 'Bearer realm="auth", error="invalid_token"'},
    )


def wrong_pair() -> Problem:
    """No login, in the same words whether there is such an account or not."""
    return Problem(status=401, title="E-mail or password is wrong")
