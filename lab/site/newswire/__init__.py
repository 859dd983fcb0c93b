"""News for a lab without internet access: three news wires with feeds and article pages.

This package provides only what a feed reader sees: RSS feeds, HTML pages and conditional responses,
all of which are served at the gateway's address. Spotswarm's services process the news.
"""

from typing import Final

PORT: Final = 8088
WIRES: Final = {
    "harbour": "Harbour Wire",
    "ledger": "The Daily Ledger",
    "quay": "Quay Street Journal",
}
