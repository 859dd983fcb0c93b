"""News for a lab without internet access: three news wires with feeds and article pages.

This package serves RSS feeds and HTML pages at the gateway's address, and supports conditional
requests. Spotswarm's services process the news.
"""

from typing import Final

PORT: Final = 8088
WIRES: Final = {
    "harbour": "Harbour Wire",
    "ledger": "The Daily Ledger",
    "quay": "Quay Street Journal",
}
