"""What auth decides without asking anybody."""

import asyncio
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UnavailableError
from runtime.web.problems import Problem
from services.auth import keys, passwords, tokens
from services.auth.doorkeeper import normalised
from services.auth.lockout import Limit, client_address
from services.auth.settings import Settings

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8")]


def test_pauses_begin_after_the_free_tries_and_double_up_to_the_longest() -> None:
    limit = Limit("account", free=3, first=10, most=100)
    assert limit.pauses() == [0, 0, 10, 20, 40, 80, 100]


@given(st.integers(1, 50), st.integers(1, 100), st.integers(1, 5000))
def test_pauses_never_get_shorter_nor_longer_than_the_longest(
    free: int, first: int, most: int
) -> None:
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
def test_the_client_is_the_last_address_that_is_not_ours(
    peer: str | None, forwarded: str, client: str | None
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


@given(st.text(max_size=80))
def test_what_stands_left_of_a_stranger_never_counts(invented: str) -> None:
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
def test_a_password_that_is_guessed_first_is_not_taken(password: str) -> None:
    assert passwords.wrong(password, "somebody@example.com")


@given(st.text(max_size=300))
def test_every_text_is_judged_as_a_password(text: str) -> None:
    assert passwords.wrong(text, "somebody@example.com") or len(text) >= passwords.LEAST


@pytest.mark.parametrize(
    "password",
    ["tractor-bicycle-9", "Wq7#mm0xPz", "my monkey likes passwords", "ein schöner Tag heute"],
)
def test_a_password_with_something_of_its_own_is_taken(password: str) -> None:
    assert passwords.wrong(password, "somebody@example.com") is None


def test_a_long_sentence_is_taken_whatever_it_is_made_of() -> None:
    assert passwords.wrong("correct horse battery staple", "me@example.com") is None


@pytest.mark.parametrize("address", ["Me@Example.COM", "me@example.com", "ME@example.com"])
def test_an_address_has_one_spelling(address: str) -> None:
    assert normalised(address) == "me@example.com"


@pytest.mark.parametrize("address", ["me", "me@", "@example.com", "a b@example.com", "a@b\n.com"])
def test_what_is_no_address_is_said_of_the_field_and_not_repeated(address: str) -> None:
    with pytest.raises(Problem) as raised:
        normalised(address)
    assert raised.value.status == 422
    assert raised.value.extra == {"errors": [{"field": "email", "detail": raised.value.detail}]}


async def test_a_password_is_right_however_its_letters_are_composed() -> None:
    kept = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    hashed = await kept.hash("scho\u0308ne Aussicht")
    assert await kept.is_right(hashed, "sch\u00f6ne Aussicht")
    assert not await kept.is_right(hashed, "schone Aussicht")
    assert not await kept.is_right(None, "nobody's password")
    assert not await kept.is_right("no hash at all", "sch\u00f6ne Aussicht")


async def test_a_hash_of_another_cost_is_outdated() -> None:
    cheap = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    dear = passwords.Passwords(passwords.Cost(memory_kib=128, rounds=1), at_once=1)
    hashed = await cheap.hash("schöne Aussicht")
    assert not cheap.is_outdated(hashed)
    assert dear.is_outdated(hashed)


async def test_who_comes_when_the_queue_is_long_is_told_to_come_again() -> None:
    kept = passwords.Passwords(passwords.Cost(memory_kib=64, rounds=1), at_once=1)
    told = await asyncio.gather(
        *(kept.hash("schöne Aussicht") for _ in range(60)), return_exceptions=True
    )
    refused = [one for one in told if isinstance(one, UnavailableError)]
    assert len(refused) == 20
    assert await kept.hash("schöne Aussicht")


def test_networks_of_proxies_are_read_with_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.0/24")
    assert [str(one) for one in Settings().trusted_proxies] == ["10.0.0.0/8", "192.168.1.0/24"]


def test_an_api_token_is_read_back_and_its_secret_is_not_shown() -> None:
    made, text = tokens.new_api_token()
    assert tokens.parse_api(text) == made
    assert made.secret not in repr(made)
    assert tokens.is_same(tokens.digest(made.secret), made.secret)
    assert not tokens.is_same(tokens.digest(made.secret), made.secret[:-1])


def test_the_next_refresh_token_is_of_the_same_family_and_another() -> None:
    first = tokens.new_refresh()
    family = tokens.family_of(first)
    following = tokens.new_refresh(family)
    assert family
    assert following != first
    assert tokens.family_of(following) == family
    assert tokens.family_of(tokens.new_refresh()) != family


@given(st.text(max_size=100))
def test_nothing_but_a_refresh_token_has_a_family(text: str) -> None:
    assert tokens.family_of(text) is None
    assert tokens.family_of(tokens.new_access()) is None


@given(st.text(max_size=100))
def test_nothing_but_an_api_token_is_read_as_one(text: str) -> None:
    assert tokens.parse_api(text) is None
    assert tokens.parse_api(f"ssw_{text}") is None or len(text) == 56


def test_no_key_tells_whose_it_is() -> None:
    told = [
        keys.email("me@example.com"),
        keys.tries("account", "me@example.com"),
        keys.tries("client", "203.0.113.9"),
    ]
    assert not [key for key in told if "example" in key or "203.0.113.9" in key]
