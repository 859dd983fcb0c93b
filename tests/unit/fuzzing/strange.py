"""Strange JSON: values that no sender should send, and documents with such values in them."""

import copy
import json

from hypothesis import strategies as st

DATES = st.sampled_from(
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "0900-05-05T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2199-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "20269999T999999Z",
        "99991231T235959Z",
        "00010101T000000Z",
        "Thu, 99 Mar 9999 15:10:09 GMT",
    ]
)
NUMBERS = st.sampled_from(
    [-1, 0, 2**31, 2**63, 10**400, -(10**400), 1e308, float("inf"), float("nan")]
)
TEXTS = st.sampled_from(
    [
        "",
        "\ud800",
        "a\udfff",
        "\x00",
        "null",
        "i-0123456789abcdef0",
        "x" * 5000,
        "9" * 5000,
        "[" * 999,
    ]
)
LABELS = st.sampled_from(["", "\x00", "null", "x" * 5000, "9" * 5000, "-1", "manager", "terminate"])
SCALARS = st.none() | st.booleans() | NUMBERS | DATES | TEXTS | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=4), SCALARS)


def _places(document, path=()):
    """Yield the path to every value of a document."""
    inner = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in inner:
        yield (*path, key)
        yield from _places(value, (*path, key))


@st.composite
def mutated(draw, document):
    """A document in which some values are strange or missing."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent = changed
        for key in path:
            parent = parent[key]
        if isinstance(parent, dict) and draw(st.integers(0, 4)) == 0:
            del parent[last]
        else:
            parent[last] = draw(VALUES)
    return changed


def text_of(value):
    """JSON as Python writes it: with NaN, and with lone surrogates as escapes."""
    return json.dumps(value)
