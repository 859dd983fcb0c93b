"""What auth does: accounts, logins, API tokens, and whose a token is.

Rule: a login is refused in one way, whether the account is unknown or the password wrong, after the
same work. No e-mail address, password or token is logged or counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from email_validator import EmailNotValidError, validate_email
from prometheus_client import Counter

from runtime import clock
from runtime.problems import Problem
from services.auth import passwords as rules
from services.auth import tokens
from services.auth.edges.redis_store import Kept, LoginKept, Store
from services.auth.lockout import Limit
from services.auth.passwords import Cost, Passwords
from services.auth.settings import Settings
from services.peers.auth import SCOPES, Account, ApiToken, Login, MadeToken, Verified

log = structlog.get_logger("auth")

_LOGINS: Final = Counter("auth_logins_total", "Logins asked for.", ["outcome"])
_REFRESHES: Final = Counter("auth_refreshes_total", "Refresh tokens shown.", ["outcome"])
_VERIFIED: Final = Counter("auth_verifications_total", "Tokens shown.", ["outcome"])
_TOKENS: Final = Counter("auth_api_tokens_total", "API tokens made and revoked.", ["what"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """An API token as somebody wants it."""

    name: str
    scopes: Sequence[str]
    expires_days: int | None = None


class Doorkeeper:
    """All answers of auth; every method may raise the store's UnavailableError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._passwords = Passwords(Cost(), at_once=settings.hashes_at_once)
        self._settings = settings
        pauses = (settings.pause_seconds, settings.pause_most_seconds)
        self._by_account = Limit("account", settings.tries_free, *pauses)
        self._by_client = Limit("client", settings.tries_free_client, *pauses)
        self._sign_ups = Limit("sign-up", settings.sign_ups_free, *pauses)

    async def sign_up(self, email: str, password: str, *, client: str | None) -> Account:
        """Make an account.

        Raises:
            Problem: 409 taken, 422 address or password wrong, 429 too many.
        """
        address = normalised(email)
        if (said := rules.wrong(password, address)) is not None:
            raise _field("password", said)
        if client is not None:
            await self._allow(self._sign_ups, client)
        kept = Kept(
            tokens.new_id(), address, await self._passwords.hash(password), clock.now().timestamp()
        )
        if not await self._store.add_account(kept):
            raise Problem(status=409, title="There is an account with this address")
        log.info("account made", account=kept.account)
        return _account(kept)

    async def login(self, email: str, password: str, *, client: str | None) -> Login:
        """Begin a login.

        Raises:
            Problem: 401 wrong pair, 429 too many tries.
        """
        address = normalised(email)
        if client is not None:
            await self._allow(self._by_client, client)
        await self._allow(self._by_account, address)
        kept = await self._store.account_of(address)
        is_right = await self._passwords.is_right(kept.password if kept else None, password)
        if kept is None or not is_right:
            _LOGINS.labels("refused").inc()
            raise Problem(status=401, title="E-mail or password is wrong")
        await self._store.forget_tries(self._by_account.kind, address)
        if client is not None:
            await self._store.forget_tries(self._by_client.kind, client)
        if self._passwords.is_outdated(kept.password):
            await self._store.set_password(kept.account, await self._passwords.hash(password))
        _LOGINS.labels("good").inc()
        return await self._begin(kept.account, kept.email)

    async def refresh(self, refresh: str) -> Login:
        """The next login for a refresh token, which is used up.

        Raises:
            Problem: 401; a token used before ends its login for both who hold it.
        """
        new, access = tokens.new_login_token(), tokens.new_login_token()
        told = await self._store.renew_login(
            tokens.digest(refresh), refresh=tokens.digest(new), access=tokens.digest(access)
        )
        _REFRESHES.labels(told.outcome).inc()
        if told.outcome == "reused":
            log.warning("refresh token used twice, login ended", account=told.account)
        if told.outcome != "renewed":
            raise _unknown()
        return self._login(told.account, told.email, refresh=new, access=access)

    async def logout(self, refresh: str) -> None:
        """End a login."""
        await self._store.end_login(tokens.digest(refresh))

    async def logout_all(self, who: Verified) -> None:
        """End all logins of an account."""
        ended = await self._store.end_logins(who.account)
        log.info("logins ended", account=who.account, count=ended)

    async def change_password(self, who: Verified, *, old: str, new: str) -> None:
        """Change a password, which ends every other login of the account.

        Raises:
            Problem: 403 the old one is wrong, 422 the new one is, 429 too many tries.
        """
        kept = await self._store.account(who.account)
        if kept is None:
            raise _unknown()
        if (said := rules.wrong(new, kept.email)) is not None:
            raise _field("new", said)
        await self._allow(self._by_account, kept.email)
        if not await self._passwords.is_right(kept.password, old):
            raise Problem(status=403, title="The old password is wrong")
        await self._store.set_password(who.account, await self._passwords.hash(new))
        await self._store.forget_tries(self._by_account.kind, kept.email)
        await self._store.end_logins(who.account, but=who.token)
        log.info("password changed", account=who.account)

    async def me(self, who: Verified) -> Account:
        """The account of a login."""
        kept = await self._store.account(who.account)
        if kept is None:
            raise _unknown()
        return _account(kept)

    async def make_token(self, who: Verified, wanted: Wanted) -> MadeToken:
        """Make an API token.

        Raises:
            Problem: 422 when a scope is unknown or the account has too many tokens.
        """
        if unknown := sorted(set(wanted.scopes) - set(SCOPES)):
            raise _field("scopes", f"There is no {unknown[0]!r:.60}; there are {', '.join(SCOPES)}")
        most = self._settings.most_tokens
        made, text = tokens.new_api_token()
        at = clock.now()
        days = wanted.expires_days
        expires = at + timedelta(days=days) if days is not None else None
        told = {
            "account": who.account,
            "email": who.email or "",
            "secret": tokens.digest(made.secret),
            "name": wanted.name,
            "scopes": " ".join(sorted(set(wanted.scopes))),
            "created": str(at.timestamp()),
            "expires": str(expires.timestamp()) if expires else "",
        }
        if not await self._store.add_api_token(
            who.account, made.id, told, at=at.timestamp(), most=most
        ):
            raise _field("name", f"An account has {most} tokens at most. Revoke one first.")
        _TOKENS.labels("made").inc()
        log.info("api token made", account=who.account, id=made.id)
        return MadeToken(**_api_token(made.id, told).model_dump(), token=text)

    async def tokens(self, who: Verified) -> list[ApiToken]:
        """The account's API tokens, the newest first."""
        return [_api_token(*one) for one in await self._store.api_tokens(who.account)]

    async def revoke(self, who: Verified, token_id: str) -> None:
        """Revoke an API token.

        Raises:
            Problem: 404 when the account has none of this id.
        """
        if not await self._store.revoke_api_token(who.account, token_id):
            raise Problem(status=404, title="You have no such token")
        _TOKENS.labels("revoked").inc()
        log.info("api token revoked", account=who.account, id=token_id)

    async def verify(self, text: str) -> Verified | None:
        """Whose a token is; None when it is nobody's or has ended."""
        found = await self._api(text) if text.startswith("ssw_") else await self._access(text)
        _VERIFIED.labels(found.kind if found else "unknown").inc()
        return found

    async def _access(self, text: str) -> Verified | None:
        if not tokens.is_login_text(text):
            return None
        session = await self._store.session_of(tokens.digest(text))
        if session is None:
            return None
        return Verified(
            kind="login",
            account=session.account,
            email=session.email,
            token=session.session,
            scopes=SCOPES,
            expires=clock.now() + timedelta(seconds=max(0, session.seconds_left)),
        )

    async def _api(self, text: str) -> Verified | None:
        shown = tokens.parse_api(text)
        if shown is None:
            return None
        told = await self._store.api_token(shown.id)
        if not told or not tokens.is_same(told["secret"], shown.secret):
            return None
        kept = _api_token(shown.id, told)
        at = clock.now()
        if kept.expires is not None and kept.expires <= at:
            return None
        before = told.get("last_used", "")
        await self._store.used_api_token(shown.id, at=at.timestamp(), before=before)
        return Verified(
            kind="api",
            account=told["account"],
            email=told["email"] or None,
            token=shown.id,
            scopes=kept.scopes,
            expires=kept.expires,
        )

    async def _allow(self, limit: Limit, subject: str) -> None:
        now = clock.now().timestamp()
        if wait := await self._store.begin_try(limit, subject, now=now):
            _LOGINS.labels("paused").inc()
            raise Problem(
                status=429,
                title="Too many tries",
                detail=f"Try again in {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )

    async def _begin(self, account: str, email: str) -> Login:
        refresh, access = tokens.new_login_token(), tokens.new_login_token()
        await self._store.add_login(
            LoginKept(
                tokens.new_id(), account, email, tokens.digest(refresh), tokens.digest(access)
            )
        )
        return self._login(account, email, refresh=refresh, access=access)

    def _login(self, account: str, email: str, *, refresh: str, access: str) -> Login:
        at = clock.now()
        return Login(
            account=account,
            email=email,
            access=access,
            access_expires=at + timedelta(seconds=self._settings.access_seconds),
            refresh=refresh,
            refresh_expires=at + timedelta(seconds=self._settings.refresh_seconds),
        )


def normalised(email: str) -> str:
    """One spelling for each address; nobody's mail is asked for, and case means nothing to us.

    Raises:
        Problem: 422 when it is no address.
    """
    try:
        found = validate_email(email, check_deliverability=False)
    except EmailNotValidError as exc:
        raise _field("email", "This is no e-mail address.") from exc
    return found.normalized.casefold()


def _account(kept: Kept) -> Account:
    created = datetime.fromtimestamp(kept.created, UTC)
    return Account(account=kept.account, email=kept.email, created=created)


def _api_token(token_id: str, told: Mapping[str, str]) -> ApiToken:
    def moment(name: str) -> datetime | None:
        said = told.get(name)
        return datetime.fromtimestamp(float(said), UTC) if said else None

    return ApiToken(
        id=token_id,
        name=told["name"],
        scopes=tuple(told["scopes"].split()),
        created=datetime.fromtimestamp(float(told["created"]), UTC),
        expires=moment("expires"),
        last_used=moment("last_used"),
    )


def _field(name: str, said: str) -> Problem:
    errors = [{"field": name, "detail": said}]
    return Problem(status=422, title="A field is wrong", detail=said, extra={"errors": errors})


def _unknown() -> Problem:
    return Problem(
        status=401,
        title="This token is not known",
        detail="It has ended, was revoked, or was never ours. Log in again.",
        headers={"WWW-Authenticate": 'Bearer realm="auth", error="invalid_token"'},
    )
