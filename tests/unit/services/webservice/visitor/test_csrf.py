from hypothesis import given
from hypothesis import strategies as st

from services.webservice.visitor import csrf

KEY = b"k" * 32
NONCE = csrf.new_nonce()


def is_good(token: str, **changes: object) -> bool:
    arguments = {"key": KEY, "nonce": NONCE, "account": "ada"} | changes
    return csrf.is_good(
        token, arguments["key"], nonce=arguments["nonce"], account=arguments["account"]
    )


def test_a_token_is_good_for_its_nonce_and_account():
    assert is_good(csrf.make(KEY, nonce=NONCE, account="ada"))


def test_a_token_is_bad_for_another_account_nonce_or_key():
    token = csrf.make(KEY, nonce=NONCE, account="ada")

    assert not is_good(token, account="eve")
    assert not is_good(token, account="")
    assert not is_good(token, nonce=csrf.new_nonce())
    assert not is_good(token, key=b"j" * 32)


def test_a_token_from_before_signing_in_is_invalid_afterwards():
    before = csrf.make(KEY, nonce=NONCE, account="")

    assert not is_good(before, account="ada", nonce=csrf.new_nonce())
    assert not is_good(before, account="ada")


def test_two_tokens_for_one_form_differ():
    assert csrf.make(KEY, nonce=NONCE, account="") != csrf.make(KEY, nonce=NONCE, account="")


def test_a_forged_nonce_is_refused():
    for nonce in ("", "short", "x" * 33, "no spaces are in a nonce of ours"):
        token = csrf.make(KEY, nonce=nonce, account="")
        assert not csrf.is_good(token, KEY, nonce=nonce, account="")


@given(st.text())
def test_no_text_is_a_good_token(text: str):
    assert not is_good(text)


@given(st.integers(min_value=0))
def test_a_token_with_one_altered_character_is_bad(at: int):
    token = csrf.make(KEY, nonce=NONCE, account="ada")
    at %= len(token)

    assert not is_good(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])


def elsewhere(method: str = "POST", host: str = "site.example", **headers: str) -> bool:
    browser_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return csrf.is_from_elsewhere(method, browser_headers, host=host)


def test_the_browser_reports_a_form_of_another_site():
    assert elsewhere(Origin="https://evil.example")
    assert elsewhere(Origin="null")
    assert elsewhere(Origin="https://site.example.evil.example")
    assert elsewhere(Sec_Fetch_Site="cross-site")
    assert elsewhere(Sec_Fetch_Site="same-site", Origin="https://site.example")


def test_our_own_form_is_not_from_elsewhere():
    assert not elsewhere(Origin="https://site.example", Sec_Fetch_Site="same-origin")
    assert not elsewhere(Origin="http://Site.Example")
    assert not elsewhere(Origin="http://localhost:5000", host="localhost:5000")
    assert not elsewhere()


def test_another_port_is_another_site():
    assert elsewhere(Origin="http://localhost:5001", host="localhost:5000")


def test_reading_is_allowed_from_everywhere():
    assert not elsewhere("GET", Origin="https://evil.example", Sec_Fetch_Site="cross-site")
