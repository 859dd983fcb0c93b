"""News for a lab without the internet: three wires with feeds and article pages, on the gateway.

This package does only what a feed's reader sees: RSS, pages, conditional answers. The product
processes the news.
"""

from typing import Final

PORT: Final = 8088
WIRES: Final = {
    "harbour": "Harbour Wire",
    "ledger": "The Daily Ledger",
    "quay": "Quay Street Journal",
}
