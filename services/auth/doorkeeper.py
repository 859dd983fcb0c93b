"""Accounts and logins.

Rule: a login is refused in one way, whether the account is unknown or the password wrong, after the
same work. No e-mail address, password or token is logged or counted.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from email_validator import EmailNotValidError, validate_email
from prometheus_client import Counter

from runtime import clock
from runtime.web.problems import Problem
from services.auth import passwords as rules
from services.auth import tokens
from services.auth.edges.accounts import Kept, Try
from services.auth.edges.redis_store import Store
from services.auth.edges.sessions import Hashes
from services.auth.lockout import Limit
from services.auth.passwords import Cost, Passwords
from services.auth.refusals import unknown_token, wrong_field, wrong_pair
from services.auth.settings import Settings
from services.peers.auth import Account, Login, Verified

log = structlog.get_logger("auth")

_LOGINS: Final = Counter("auth_logins_total", "Logins asked for.", ["outcome"])
_REFRESHES: Final = Counter("auth_refreshes_total", "Refresh tokens shown.", ["outcome"])
_PAUSED: Final = Counter("auth_paused_total", "Tries answered with a pause.", ["by"])


class Doorkeeper:
    """Every method may raise UnavailableError."""

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
        """Make an account.

        Raises:
            Problem: 409 taken, 422 address or password wrong, 429 too many.
        """
        address = normalised(email)
        if (said := rules.wrong(password, address)) is not None:
            raise wrong_field("password", said)
        await self._allow(self._sign_ups, client)
        kept = Kept(
            tokens.new_id(), address, await self._passwords.hash(password), clock.now().timestamp()
        )
        if not await self._accounts.add(kept):
            raise Problem(status=409, title="There is an account with this address")
        log.info("account made", account=kept.account)
        return _account(kept)

    async def login(self, email: str, password: str, *, client: str | None) -> Login:
        """Begin a login.

        Raises:
            Problem: 401 wrong pair, 429 too many tries.
        """
        address = normalised(email)
        by_client = await self._allow(self._by_client, client)
        await self._allow(self._by_account, address)
        kept = await self._accounts.by_email(address)
        is_right = await self._passwords.is_right(kept.password if kept else None, password)
        if kept is None or not is_right:
            _LOGINS.labels("refused").inc()
            raise wrong_pair()
        refresh, access = tokens.new_refresh(), tokens.new_access()
        kept = await self._rehashed(kept, password)
        if not await self._sessions.begin(tokens.new_id(), kept, _hashes(refresh, access)):
            # Meanwhile the password became another.
            _LOGINS.labels("refused").inc()
            raise wrong_pair()
        await self._accounts.forget_tries(self._by_account, address)
        if client is not None:
            # Only this one: who has an account of his own could else guess at others for ever.
            await self._accounts.give_back(self._by_client, client, by_client)
        _LOGINS.labels("good").inc()
        return self._login(kept.account, kept.email, refresh=refresh, access=access)

    async def refresh(self, refresh: str) -> Login:
        """The next login for a refresh token, which is used up, even if the answer gets lost.

        Raises:
            Problem: 401; a token used before ends its login for both who hold it.
        """
        family = tokens.family_of(refresh)
        if family is None:
            _REFRESHES.labels("unknown").inc()
            raise unknown_token()
        new, access = tokens.new_refresh(family), tokens.new_access()
        told = await self._sessions.renew(tokens.digest(refresh), _hashes(new, access))
        _REFRESHES.labels(told.outcome).inc()
        if told.outcome == "reused":
            log.warning("refresh token used twice, login ended", account=told.account)
        if told.outcome != "renewed":
            raise unknown_token()
        return self._login(told.account, told.email, refresh=new, access=access)

    async def logout(self, refresh: str) -> None:
        """End a login; nothing when there is none."""
        if (family := tokens.family_of(refresh)) is not None:
            await self._sessions.end(tokens.digest(family))

    async def logout_all(self, who: Verified) -> None:
        """End all logins of an account."""
        ended = await self._sessions.end_all(who.account)
        log.info("logins ended", account=who.account, count=ended)

    async def change_password(self, who: Verified, *, old: str, new: str) -> None:
        """Change a password, which ends every other login of the account.

        Raises:
            Problem: 403 the old one is wrong, 422 the new one is, 429 too many tries.
        """
        kept = await self._accounts.by_id(who.account)
        if kept is None:
            raise unknown_token()
        if (said := rules.wrong(new, kept.email)) is not None:
            raise wrong_field("new", said)
        await self._allow(self._by_account, kept.email)
        is_right = await self._passwords.is_right(kept.password, old)
        if not is_right or not await self._accounts.change_password(
            kept, new=await self._passwords.hash(new), session=who.token
        ):
            raise Problem(status=403, title="The old password is wrong")
        await self._accounts.forget_tries(self._by_account, kept.email)
        log.info("password changed", account=who.account)

    async def me(self, who: Verified) -> Account:
        """The account of a login."""
        kept = await self._accounts.by_id(who.account)
        if kept is None:
            raise unknown_token()
        return _account(kept)

    async def _allow(self, limit: Limit, subject: str | None) -> Try:
        if subject is None:
            return Try(0)
        now = clock.now().timestamp()
        tried = await self._accounts.begin_try(limit, subject, now=now)
        if tried.wait_seconds:
            _PAUSED.labels(limit.kind).inc()
            raise Problem(
                status=429,
                title="Too many tries",
                detail=f"Try again in {tried.wait_seconds} seconds.",
                headers={"Retry-After": str(tried.wait_seconds)},
            )
        return tried

    async def _rehashed(self, kept: Kept, password: str) -> Kept:
        if not self._passwords.is_outdated(kept.password):
            return kept
        new = await self._passwords.hash(password)
        is_new = await self._accounts.rehash(kept.account, old=kept.password, new=new)
        return Kept(kept.account, kept.email, new, kept.created) if is_new else kept

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
        raise wrong_field("email", "This is no e-mail address.") from exc
    return found.normalized.casefold()


def _hashes(refresh: str, access: str) -> Hashes:
    family = tokens.family_of(refresh)
    assert family is not None
    return Hashes(tokens.digest(family), tokens.digest(refresh), tokens.digest(access))


def _account(kept: Kept) -> Account:
    created = datetime.fromtimestamp(kept.created, UTC)
    return Account(account=kept.account, email=kept.email, created=created)
