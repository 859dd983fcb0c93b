"""Recognises passwords that an attacker would try first.

Rule: match patterns instead of searching a list of millions of passwords. The patterns are keyboard
walks, repeated characters, parts of the owner's e-mail address, and common words with extra digits
or symbols.
"""

import re
from typing import Final

_TEXT: Final = """
aaron abcdef abcdefg access account admin administrator alexander amanda america andrea andrew
angel animal anthony apple arsenal asdf ashley august autumn babygirl bailey barcelona baseball
basketball batman bitcoin blessed blink buster butterfly camaro champion changeit changeme
charlie cheese chelsea chicken chocolate christ christian christopher company computer cookie
corvette daniel december default diamond dolphin donald dragon elizabeth enter family fender
ferrari flower football forever forgot freedom friends fuckyou gandalf george ginger google
guest guitar hannah harley heaven hello hockey hunter iceman iloveyou internet jackson jasmine
jennifer jessica jesus jordan joseph joshua junior justin killer knight letmein liverpool login
london lovely loveme loveyou maggie manager marina market master matrix matthew maverick
mercedes merlin michael michelle mickey monday money monkey monster morgan mustang mynoob naruto
network news newyork nicole nothing november october orange panther pass passphrase password
passwort patrick peanut pepper phoenix player please pokemon princess private purple qazwsx qwer
qwert qwerty qwertyuiop qwertz rachel rainbow ranger realmadrid rebecca richard robert root
samantha samsung scooter secret secure security september server silver slayer snoopy soccer
spiderman spotswarm spring starwars steven stocks success summer sunday sunshine superman
superstar supreme system taylor temp tennis test tester testing thomas thunder tigger trading
trustno trustnoone unknown user victoria welcome whatever william winner winter yankees zaq
zxcvbn zxcvbnm
"""
_WORDS: Final = frozenset(_TEXT.split())
_WALKS: Final = (
    "12345678901234567890",
    "09876543210987654321",
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "mnbvcxzlkjhgfdsapoiuytrewq",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
    '!"#$%&/()=',
)
_LEET: Final = (
    str.maketrans("0134578@$!+", "oieastbasit"),
    str.maketrans("0134578@$!|", "oleastbasll"),
)
_AROUND: Final = re.compile(r"^[^a-z]*(.*?)[^a-z]*$", re.DOTALL)
_LEAST_KINDS: Final = 5
_LEAST_STEP: Final = 3
_MOST_STEPS: Final = 4
_MOST_AROUND: Final = 8
_LEAST_PART: Final = 4
_LEAST_OWN: Final = 6


def is_common(password: str) -> bool:
    """Return whether a password is easy to guess, regardless of who owns it."""
    lowered = password.casefold()
    if len(set(lowered)) < _LEAST_KINDS or _is_walk(lowered):
        return True
    match = _AROUND.match(lowered)
    inner = match[1] if match else ""
    if not inner or len(lowered) - len(inner) > _MOST_AROUND:
        return False
    return any(_is_words(inner.translate(table)) for table in _LEET)


def is_like_address(password: str, email: str) -> bool:
    """Return whether a password consists mostly of parts of its owner's e-mail address."""
    lowered = password.casefold()
    rest = lowered
    for part in (email, *re.split(r"[^\w]+", email)):
        if len(part) >= _LEAST_PART:
            rest = rest.replace(part, "")
    return rest != lowered and len(rest) < _LEAST_OWN


def _is_words(text: str) -> bool:
    """Return whether the text is one common word, or two common words joined together."""
    return text in _WORDS or any(
        text[:cut] in _WORDS and text[cut:] in _WORDS for cut in range(1, len(text))
    )


def _is_walk(text: str) -> bool:
    """Return whether the text consists of a few keyboard walks, such as `qwerty` or `1234`."""
    steps = 0
    while text:
        length = max((n for n in range(_LEAST_STEP, len(text) + 1) if _walked(text[:n])), default=0)
        if not length:
            return False
        text = text[length:]
        steps += 1
    return steps <= _MOST_STEPS


def _walked(text: str) -> bool:
    return any(text in walk for walk in _WALKS)
