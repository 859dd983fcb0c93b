"""Finds an article's canonical URL, which is the same for every link to the article.

This module does no I/O.

Rules: only yarl parses URLs, here and where they are fetched, so that the host that is checked is
the host that is connected. A page may claim a canonical URL only on its own site. Otherwise, any
page could replace another publisher's article.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlunsplit

from w3lib.url import canonicalize_url
from yarl import URL

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
"""Query parameters that track where a reader came from and do not identify the article."""
_TRACKING_PREFIXES: Final = ("utm_", "at_campaign", "at_medium", "pk_", "mtm_")
_SAME_SITE: Final = re.compile(r"^(?:www\d?|m|mobile|amp)\.")
_WALLS: Final = re.compile(
    r"(?:^|[./_-])(?:consent|login|log-in|signin|sign-in|subscribe|captcha|cookies?|privacy|error)"
    r"(?:[./_-]|$)",
    re.IGNORECASE,
)


def canonical(url: str) -> str | None:
    """Return the URL in canonical form, or None if it is not a valid http or https URL."""
    url = url.strip()
    if not url or len(url) > MOST_CHARACTERS:
        return None
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.explicit_port
    except ValueError:
        return None
    scheme = parts.scheme
    if scheme not in _PORTS or not host:
        return None
    host = host.rstrip(".")
    if not host:
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    parameters = [
        (name, value)
        for name, value in parse_qsl(parts.raw_query_string, keep_blank_values=True)
        if not _is_tracking(name)
    ]
    bare = urlunsplit((scheme, netloc, parts.raw_path or "/", urlencode(parameters), ""))
    try:
        result = canonicalize_url(bare)
    except ValueError:
        return None
    return result if len(result) <= MOST_CHARACTERS else None


def joined(base: str, target: str) -> str | None:
    """Return the absolute URL of a link on the page `base`, or None if the link is invalid."""
    try:
        return str(URL(base).join(URL(target)))
    except ValueError:
        return None


def _is_tracking(name: str) -> bool:
    name = name.lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)


def choose(link: str, final: str, own_link: str | None) -> str:
    """Return the article's canonical URL.

    `link` is the link in the feed and `final` is the URL after redirects, both in canonical form.
    `own_link` is the canonical link that the page declares, exactly as written.
    """
    reached = link if _is_wall(link, final) else final
    if own_link is None:
        return reached
    absolute = joined(final, own_link)
    own = canonical(absolute) if absolute else None
    if own is None or not is_same_site(own, reached):
        return reached
    if _is_front(own) and not _is_front(reached):
        # Many sites declare the front page as the canonical URL of every page.
        return reached
    return own


def is_same_site(url: str, other: str) -> bool:
    """Return whether two URLs have the same host or one host is a subdomain of the other.

    Prefixes such as `www.` and `m.` are ignored.
    """
    first, second = _site(url), _site(other)
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def _site(url: str) -> str:
    return _SAME_SITE.sub("", URL(url).raw_host or "")


def _is_front(url: str) -> bool:
    parts = URL(url)
    return parts.raw_path in ("", "/") and not parts.raw_query_string


def _is_wall(link: str, final: str) -> bool:
    """Return whether a redirect led to a login, consent or similar page instead of the article."""
    if link == final:
        return False
    before, after = URL(link), URL(final)
    if _is_front(final) and not _is_front(link):
        return True
    return _WALLS.search(f"{after.raw_host}{after.raw_path}") is not None and (
        _WALLS.search(f"{before.raw_host}{before.raw_path}") is None
    )
