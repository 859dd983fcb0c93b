"""News for a lab that has no internet: three wires with feeds and article pages, on the gateway.

Only what a feed's reader sees belongs here: RSS, pages, conditional answers. What is made of the
news is the product's.
"""

from typing import Final

PORT: Final = 8088
WIRES: Final = {
    "harbour": "Harbour Wire",
    "ledger": "The Daily Ledger",
    "quay": "Quay Street Journal",
}
