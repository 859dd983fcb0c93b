"""Builds the error responses that several of auth's modules use."""

from runtime.web.problems import Problem


def wrong_field(name: str, detail: str) -> Problem:
    """Return the problem for an invalid field.

    `detail` is shown to the person who filled in the field. It must not repeat the value.
    """
    errors = [{"field": name, "detail": detail}]
    return Problem(status=422, title="A field is invalid", detail=detail, extra={"errors": errors})


def unknown_token() -> Problem:
    """Return the problem for an invalid, revoked or expired token."""
    return Problem(
        status=401,
        title="This token is not valid",
        detail="The token has expired, was revoked, or never existed. Log in again.",
        headers={"WWW-Authenticate": 'Bearer realm="auth", error="invalid_token"'},
    )


def wrong_pair() -> Problem:
    """Return the problem for a failed login; it is the same whether or not the account exists."""
    return Problem(status=401, title="The e-mail address or password is wrong")
