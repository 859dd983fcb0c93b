"""Auth's rules, without a store: pauses, addresses, passwords, tokens and keys."""

import asyncio
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UnavailableError
from runtime.web.problems import Problem
from services.auth import keys, passwords, tokens
from services.auth.lockout import Limit, client_address
from services.auth.logins import normalised
from services.auth.settings import Settings

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8")]


def test_pauses_begin_after_the_free_attempts_and_double_up_to_the_longest() -> None:
    limit = Limit("account", free=3, first=10, most=100)
    assert limit.pauses() == [0, 0, 10, 20, 40, 80, 100]


@given(st.integers(1, 50), st.integers(1, 100), st.integers(1, 5000))
def test_pauses_never_shrink_and_stop_at_the_longest(free: int, first: int, most: int) -> None:
    pauses = Limit("account", free=free, first=first, most=most).pauses()
    assert pauses == sorted(pauses)
    assert pauses[-1] == most
    assert pauses.count(0) == free - 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "203.0.113.9, 10.0.1.1", "203.0.113.9"),
        ("10.0.0.5", "", None),
        ("10.0.0.5", "10.0.0.7, 10.0.0.8", None),
        ("10.0.0.5", "nonsense", None),
        ("10.0.0.5", "203.0.113.9, \x00", None),
        ("10.0.0.5", "::ffff:203.0.113.9, ::ffff:10.0.1.1", "203.0.113.9"),
        ("2001:db8::1", "", "2001:db8::/64"),
        ("10.0.0.5", "2001:db8::2:1", "2001:db8::/64"),
        (None, "", None),
    ],
)
def test_the_client_is_the_last_untrusted_address(
    peer: str | None, forwarded: str, client: str | None
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


@given(st.text(max_size=80))
def test_an_address_left_of_an_untrusted_one_never_counts(invented: str) -> None:
    assert client_address("10.0.0.5", f"{invented}, 203.0.113.9", TRUSTED) == "203.0.113.9"


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password123",
        "PASSWORD123",
        "P@ssw0rd2026!",
        "we1come1234",
        "monkeymonkey",
        "summerwinter",
        "aaaaaaaaaaaa",
        "121212343434",
        "qwerty12345",
        "mnbvcxz0987",
        "1qaz2wsx3edc",
        "somebody@example.com",
        "Somebody2026!",
        "exampleexample1",
        "x" * 300,
    ],
)
def test_an_easily_guessed_password_is_rejected(password: str) -> None:
    assert passwords.weakness(password, "somebody@example.com")


@given(st.text(max_size=300))
def test_any_text_can_be_checked_as_a_password(text: str) -> None:
    assert passwords.weakness(text, "somebody@example.com") or len(text) >= passwords.LEAST


@pytest.mark.parametrize(
    "password",
    ["tractor-bicycle-9", "Wq7#mm0xPz", "my monkey likes passwords", "ein schöner Tag heute"],
)
def test_an_original_password_is_accepted(password: str) -> None:
    assert passwords.weakness(password, "somebody@example.com") is None


def test_a_long_sentence_of_common_words_is_accepted() -> None:
    assert passwords.weakness("correct horse battery staple", "me@example.com") is None


@pytest.mark.parametrize("address", ["Me@Example.COM", "me@example.com", "ME@example.com"])
def test_an_address_has_one_spelling(address: str) -> None:
    assert normalised(address) == "me@example.com"


@pytest.mark.parametrize("address", ["me", "me@", "@example.com", "a b@example.com", "a@b\n.com"])
def test_an_invalid_address_is_reported_by_its_field_and_not_repeated(address: str) -> None:
    with pytest.raises(Problem) as raised:
        normalised(address)
    assert raised.value.status == 422
    assert raised.value.extra == {"errors": [{"field": "email", "detail": raised.value.detail}]}


async def test_a_password_matches_in_either_unicode_form() -> None:
    hasher = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    hashed = await hasher.hash("scho\u0308ne Aussicht")
    assert await hasher.is_right(hashed, "sch\u00f6ne Aussicht")
    assert not await hasher.is_right(hashed, "schone Aussicht")
    assert not await hasher.is_right(None, "nobody's password")
    assert not await hasher.is_right("no hash at all", "sch\u00f6ne Aussicht")


async def test_a_hash_of_a_different_cost_is_outdated() -> None:
    cheap = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    dear = passwords.Passwords(passwords.Cost(memory_kib=128, rounds=1), at_once=1)
    hashed = await cheap.hash("schöne Aussicht")
    assert not cheap.is_outdated(hashed)
    assert dear.is_outdated(hashed)


async def test_a_login_that_meets_a_full_queue_is_unavailable() -> None:
    hasher = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    outcomes = await asyncio.gather(
        *(hasher.hash("schöne Aussicht") for _ in range(60)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, UnavailableError)]
    assert len(refused) == 20
    assert await hasher.hash("schöne Aussicht")


def test_trusted_proxies_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.0/24")
    assert [str(network) for network in Settings().trusted_proxies] == [
        "10.0.0.0/8",
        "192.168.1.0/24",
    ]


def test_an_api_token_is_parsed_back_and_its_secret_is_not_printed() -> None:
    token, text = tokens.new_api_token()
    assert tokens.parse_api(text) == token
    assert token.secret not in repr(token)
    assert tokens.is_same(tokens.digest(token.secret), token.secret)
    assert not tokens.is_same(tokens.digest(token.secret), token.secret[:-1])


def test_the_next_refresh_token_is_new_and_of_the_same_family() -> None:
    first = tokens.new_refresh()
    family = tokens.family_of(first)
    following = tokens.new_refresh(family)
    assert family
    assert following != first
    assert tokens.family_of(following) == family
    assert tokens.family_of(tokens.new_refresh()) != family


@given(st.text(max_size=100))
def test_only_a_refresh_token_has_a_family(text: str) -> None:
    assert tokens.family_of(text) is None
    assert tokens.family_of(tokens.new_access()) is None


@given(st.text(max_size=100))
def test_only_an_api_token_is_parsed_as_one(text: str) -> None:
    assert tokens.parse_api(text) is None
    assert tokens.parse_api(f"ssw_{text}") is None or len(text) == 56


def test_no_key_reveals_an_address() -> None:
    names = [
        keys.email("me@example.com"),
        keys.tries("account", "me@example.com"),
        keys.tries("client", "203.0.113.9"),
    ]
    assert not [name for name in names if "example" in name or "203.0.113.9" in name]
