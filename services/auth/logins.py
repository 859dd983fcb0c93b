"""Handles sign-up, login, renewal, logout and password changes.

Rule: an unknown account and a wrong password get the same response after the same delay.
E-mail addresses, passwords and tokens never appear in logs or metrics.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from email_validator import EmailNotValidError, validate_email
from prometheus_client import Counter

from runtime import clock
from runtime.web.problems import Problem
from services.auth import passwords, tokens
from services.auth.edges.accounts import Attempt, StoredAccount
from services.auth.edges.redis_store import Store
from services.auth.edges.sessions import Hashes
from services.auth.lockout import Limit
from services.auth.passwords import Cost, Passwords
from services.auth.refusals import unknown_token, wrong_field, wrong_pair
from services.auth.settings import Settings
from services.peers.auth import Account, Login, Verified

log = structlog.get_logger("auth")

_LOGINS: Final = Counter("auth_logins_total", "Login attempts, by outcome.", ["outcome"])
_REFRESHES: Final = Counter(
    "auth_refreshes_total", "Uses of refresh tokens, by outcome.", ["outcome"]
)
_PAUSED: Final = Counter("auth_paused_total", "Attempts rejected because of a pause.", ["by"])


class Logins:
    """Manages accounts and logins. Every method may raise UnavailableError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._accounts = store.accounts
        self._sessions = store.sessions
        self._passwords = Passwords(Cost(), at_once=settings.hashes_at_once)
        self._settings = settings
        pauses = (settings.pause_seconds, settings.pause_most_seconds)
        self._by_account = Limit("account", settings.tries_free, *pauses)
        self._by_client = Limit("client", settings.tries_free_client, *pauses)
        self._sign_ups = Limit("sign-up", settings.sign_ups_free, *pauses)

    async def sign_up(self, email: str, password: str, *, client: str | None) -> Account:
        """Create an account.

        Raises:
            Problem: with status 409 if the address is taken, 422 if the address is invalid or the
                password is too weak, or 429 if there were too many attempts.
        """
        address = normalised(email)
        if (weakness := passwords.weakness(password, address)) is not None:
            raise wrong_field("password", weakness)
        await self._allow(self._sign_ups, client)
        account = StoredAccount(
            tokens.new_id(), address, await self._passwords.hash(password), clock.now().timestamp()
        )
        if not await self._accounts.add(account):
            raise Problem(status=409, title="This address already has an account")
        log.info("account created", account=account.account)
        return _account(account)

    async def login(self, email: str, password: str, *, client: str | None) -> Login:
        """Verify an e-mail address and password, and begin a login.

        Raises:
            Problem: with status 401 if the address or password is wrong, or 429 if there were too
                many attempts.
        """
        address = normalised(email)
        by_client = await self._allow(self._by_client, client)
        await self._allow(self._by_account, address)
        account = await self._accounts.by_email(address)
        is_right = await self._passwords.is_right(account.password if account else None, password)
        if account is None or not is_right:
            _LOGINS.labels("refused").inc()
            raise wrong_pair()
        refresh, access = tokens.new_refresh(), tokens.new_access()
        account = await self._rehashed(account, password)
        if not await self._sessions.begin(tokens.new_id(), account, _hashes(refresh, access)):
            # The password was changed after it was verified.
            _LOGINS.labels("refused").inc()
            raise wrong_pair()
        await self._accounts.forget_attempts(self._by_account, address)
        if client is not None:
            # Subtract only this attempt. If the count were reset, an attacker could log in to their
            # own account between guesses and never have to pause.
            await self._accounts.uncount(self._by_client, client, by_client)
        _LOGINS.labels("good").inc()
        return self._login(account.account, account.email, refresh=refresh, access=access)

    async def refresh(self, refresh: str) -> Login:
        """Exchange a refresh token for new tokens.

        The old refresh token becomes invalid even if the response is lost. If a refresh token is
        used twice, the login ends and all of its tokens become invalid.

        Raises:
            Problem: with status 401 if the token is invalid or was used before.
        """
        family = tokens.family_of(refresh)
        if family is None:
            _REFRESHES.labels("unknown").inc()
            raise unknown_token()
        new, access = tokens.new_refresh(family), tokens.new_access()
        renewal = await self._sessions.renew(tokens.digest(refresh), _hashes(new, access))
        _REFRESHES.labels(renewal.outcome).inc()
        if renewal.outcome == "reused":
            log.warning(
                "ended a login session because its refresh token was used twice",
                account=renewal.account,
            )
        if renewal.outcome != "renewed":
            raise unknown_token()
        return self._login(renewal.account, renewal.email, refresh=new, access=access)

    async def logout(self, refresh: str) -> None:
        """End a login; do nothing if the login has already ended."""
        if (family := tokens.family_of(refresh)) is not None:
            await self._sessions.end(tokens.digest(family))

    async def logout_all(self, caller: Verified) -> None:
        """Log an account out everywhere."""
        ended = await self._sessions.end_all(caller.account)
        log.info("logged an account out everywhere", account=caller.account, count=ended)

    async def change_password(self, caller: Verified, *, old: str, new: str) -> None:
        """Change a password and end the account's other logins.

        Raises:
            Problem: with status 403 if the old password is wrong, 422 if the new password is too
                weak, or 429 if there were too many attempts.
        """
        account = await self._accounts.by_id(caller.account)
        if account is None:
            raise unknown_token()
        if (weakness := passwords.weakness(new, account.email)) is not None:
            raise wrong_field("new", weakness)
        await self._allow(self._by_account, account.email)
        is_right = await self._passwords.is_right(account.password, old)
        if not is_right or not await self._accounts.change_password(
            account, new=await self._passwords.hash(new), session=caller.token
        ):
            raise Problem(status=403, title="The old password is wrong")
        await self._accounts.forget_attempts(self._by_account, account.email)
        log.info("password changed", account=caller.account)

    async def me(self, caller: Verified) -> Account:
        """Return the account that a login belongs to."""
        account = await self._accounts.by_id(caller.account)
        if account is None:
            raise unknown_token()
        return _account(account)

    async def _allow(self, limit: Limit, subject: str | None) -> Attempt:
        if subject is None:
            return Attempt(0)
        now = clock.now().timestamp()
        attempt = await self._accounts.begin_attempt(limit, subject, now=now)
        if attempt.wait_seconds:
            _PAUSED.labels(limit.kind).inc()
            raise Problem(
                status=429,
                title="Too many attempts",
                detail=f"Try again in {attempt.wait_seconds} seconds.",
                headers={"Retry-After": str(attempt.wait_seconds)},
            )
        return attempt

    async def _rehashed(self, account: StoredAccount, password: str) -> StoredAccount:
        if not self._passwords.is_outdated(account.password):
            return account
        new = await self._passwords.hash(password)
        is_stored = await self._accounts.rehash(account.account, old=account.password, new=new)
        return replace(account, password=new) if is_stored else account

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
    """Return the normalised form of an e-mail address, in lower case.

    The domain is not looked up in DNS.

    Raises:
        Problem: with status 422 if the text is not an e-mail address.
    """
    try:
        valid = validate_email(email, check_deliverability=False)
    except EmailNotValidError as exc:
        raise wrong_field("email", "This is not a valid e-mail address.") from exc
    return valid.normalized.casefold()


def _hashes(refresh: str, access: str) -> Hashes:
    family = tokens.family_of(refresh)
    assert family is not None
    return Hashes(tokens.digest(family), tokens.digest(refresh), tokens.digest(access))


def _account(stored: StoredAccount) -> Account:
    created = datetime.fromtimestamp(stored.created, UTC)
    return Account(account=stored.account, email=stored.email, created=created)
