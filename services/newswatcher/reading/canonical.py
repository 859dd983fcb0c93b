"""Which URL an article is known by: one article, one URL, whoever links to it. Pure.

Rule: a page may name another URL only of its own site. Believing it further would let any page
take the place of another publisher's article.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from w3lib.url import canonicalize_url

MOST_CHARACTERS: Final = 2000
_PORTS: Final = {"http": 80, "https": 443}
_TRACKING: Final = frozenset(
    {
        *(".tsrc", "__source", "_hsenc", "_hsmi", "cmpid", "dclid", "fbclid", "gbraid", "gclid"),
        *("guccounter", "guce_referrer", "guce_referrer_sig", "icid", "igshid", "mc_cid"),
        *("mc_eid", "mkt_tok", "msclkid", "ncid", "ocid", "ref_src", "soc_src", "soc_trk", "spm"),
        *("twclid", "wbraid", "yclid", "yptr"),
    }
)
"""Parameters that say where a reader came from, and never which article it is."""
_TRACKING_PREFIXES: Final = ("utm_", "at_campaign", "at_medium", "pk_", "mtm_")
_SAME_SITE: Final = re.compile(r"^(?:www\d?|m|mobile|amp)\.")
_WALLS: Final = re.compile(
    r"(?:^|[./_-])(?:consent|login|log-in|signin|sign-in|subscribe|captcha|cookies?|privacy|error)"
    r"(?:[./_-]|$)",
    re.IGNORECASE,
)


def canonical(url: str) -> str | None:
    """The URL without what does not matter; None when it is none of the web."""
    url = url.strip()
    if not url or len(url) > MOST_CHARACTERS:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host:
        return None
    host = host.rstrip(".")
    if not host:
        return None
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        place = f"{place}:{port}"
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _is_tracking(name)
    ]
    bare = urlunsplit((scheme, place, parts.path or "/", urlencode(kept), ""))
    try:
        made = canonicalize_url(bare)
    except ValueError:
        return None
    return made if len(made) <= MOST_CHARACTERS else None


def _is_tracking(name: str) -> bool:
    name = name.lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def chosen(link: str, final: str, told: str | None) -> str:
    """Of a feed's link, where it led and what the page says of itself: the one to go by.

    All three are of the web; `link` and `final` are canonical.
    """
    reached = link if _is_wall(link, final) else final
    if told is None:
        return reached
    try:
        own = canonical(urljoin(final, told))
    except ValueError:
        return reached
    if own is None or not is_same_site(own, reached):
        return reached
    if _is_front(own) and not _is_front(reached):
        # Sites whose every page calls itself the front page are common.
        return reached
    return own


def is_same_site(one: str, other: str) -> bool:
    """Whether one publisher answers at both: the same host, or one below the other."""
    first, second = _site(one), _site(other)
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def _site(url: str) -> str:
    return _SAME_SITE.sub("", urlsplit(url).hostname or "")


def _is_front(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def _is_wall(link: str, final: str) -> bool:
    """Whether a redirect led to something that stands before the article."""
    if link == final:
        return False
    before, after = urlsplit(link), urlsplit(final)
    if _is_front(final) and not _is_front(link):
        return True
    return _WALLS.search(f"{after.hostname}{after.path}") is not None and (
        _WALLS.search(f"{before.hostname}{before.path}") is None
    )
