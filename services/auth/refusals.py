"""The problems that several modules of auth answer with."""

from runtime.web.problems import Problem


def wrong_field(name: str, detail: str) -> Problem:
    """A field is wrong; `detail` is for the person who filled it in and never repeats the value."""
    errors = [{"field": name, "detail": detail}]
    return Problem(status=422, title="A field is wrong", detail=detail, extra={"errors": errors})


def unknown_token() -> Problem:
    """The token is not valid; the words are the same whether it expired or never existed."""
    return Problem(
        status=401,
        title="This token is not valid",
        detail="It has expired, was revoked, or never existed. Log in again.",
        headers={"WWW-Authenticate": 'Bearer realm="auth", error="invalid_token"'},
    )


def wrong_pair() -> Problem:
    """The login failed; the words are the same whether the account exists or not."""
    return Problem(status=401, title="The e-mail address or password is wrong")
