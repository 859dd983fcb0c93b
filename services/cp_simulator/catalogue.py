"""The simulator's stocks. Their names are real; their contract ids and prices are invented.

Contract ids (conids) start at 9,000,001 and follow the order of the table, so add new stocks at the
end of the table.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stock:
    """A stock in the simulator."""

    conid: int
    symbol: str
    """The symbol as Interactive Brokers spells it, with a space before the class: "BRK B"."""
    name: str
    exchange: str
    around: float
    """The price in dollars around which the stock's price moves."""


_FIRST_CONID: Final = 9_000_001
_TABLE: Final = """
AAPL|Apple Inc|NASDAQ|225
MSFT|Microsoft Corp|NASDAQ|430
NVDA|NVIDIA Corp|NASDAQ|135
AMZN|Amazon.com Inc|NASDAQ|200
GOOGL|Alphabet Inc-Cl A|NASDAQ|175
GOOG|Alphabet Inc-Cl C|NASDAQ|177
META|Meta Platforms Inc|NASDAQ|560
TSLA|Tesla Inc|NASDAQ|260
BRK B|Berkshire Hathaway Inc-Cl B|NYSE|455
BRK A|Berkshire Hathaway Inc-Cl A|NYSE|683000
AVGO|Broadcom Inc|NASDAQ|170
LLY|Eli Lilly & Co|NYSE|820
JPM|JPMorgan Chase & Co|NYSE|230
V|Visa Inc|NYSE|290
MA|Mastercard Inc|NYSE|510
XOM|Exxon Mobil Corp|NYSE|118
CVX|Chevron Corp|NYSE|155
UNH|UnitedHealth Group Inc|NYSE|570
JNJ|Johnson & Johnson|NYSE|158
PG|Procter & Gamble Co|NYSE|168
HD|Home Depot Inc|NYSE|395
LOW|Lowe's Cos Inc|NYSE|265
COST|Costco Wholesale Corp|NASDAQ|900
WMT|Walmart Inc|NYSE|82
TGT|Target Corp|NYSE|150
ABBV|AbbVie Inc|NYSE|190
MRK|Merck & Co Inc|NYSE|103
PFE|Pfizer Inc|NYSE|28
KO|Coca-Cola Co|NYSE|66
PEP|PepsiCo Inc|NASDAQ|165
ORCL|Oracle Corp|NYSE|170
CRM|Salesforce Inc|NYSE|295
ADBE|Adobe Inc|NASDAQ|490
AMD|Advanced Micro Devices Inc|NASDAQ|145
INTC|Intel Corp|NASDAQ|23
QCOM|Qualcomm Inc|NASDAQ|165
TXN|Texas Instruments Inc|NASDAQ|203
MU|Micron Technology Inc|NASDAQ|105
AMAT|Applied Materials Inc|NASDAQ|185
ASML|ASML Holding NV|NASDAQ|690
TSM|Taiwan Semiconductor Manufacturing|NYSE|190
NFLX|Netflix Inc|NASDAQ|740
DIS|Walt Disney Co|NYSE|97
CMCSA|Comcast Corp|NASDAQ|42
T|AT&T Inc|NYSE|22
VZ|Verizon Communications Inc|NYSE|41
TMUS|T-Mobile US Inc|NASDAQ|225
BAC|Bank of America Corp|NYSE|43
WFC|Wells Fargo & Co|NYSE|66
C|Citigroup Inc|NYSE|65
GS|Goldman Sachs Group Inc|NYSE|525
MS|Morgan Stanley|NYSE|118
SCHW|Charles Schwab Corp|NYSE|71
BA|Boeing Co|NYSE|152
LMT|Lockheed Martin Corp|NYSE|560
RTX|RTX Corp|NYSE|122
GE|GE Aerospace|NYSE|175
CAT|Caterpillar Inc|NYSE|385
DE|Deere & Co|NYSE|405
HON|Honeywell International Inc|NASDAQ|212
MMM|3M Co|NYSE|130
UPS|United Parcel Service Inc|NYSE|134
FDX|FedEx Corp|NYSE|272
F|Ford Motor Co|NYSE|11
GM|General Motors Co|NYSE|50
DAL|Delta Air Lines Inc|NYSE|56
UAL|United Airlines Holdings Inc|NASDAQ|76
LUV|Southwest Airlines Co|NYSE|30
NKE|Nike Inc|NYSE|80
SBUX|Starbucks Corp|NASDAQ|97
MCD|McDonald's Corp|NYSE|300
CMG|Chipotle Mexican Grill Inc|NYSE|58
GILD|Gilead Sciences Inc|NASDAQ|86
AMGN|Amgen Inc|NASDAQ|320
BMY|Bristol-Myers Squibb Co|NYSE|54
REGN|Regeneron Pharmaceuticals Inc|NASDAQ|930
VRTX|Vertex Pharmaceuticals Inc|NASDAQ|475
MRNA|Moderna Inc|NASDAQ|54
NVO|Novo Nordisk A/S|NYSE|115
CVS|CVS Health Corp|NYSE|60
WBA|Walgreens Boots Alliance Inc|NASDAQ|9.5
PYPL|PayPal Holdings Inc|NASDAQ|80
COIN|Coinbase Global Inc|NASDAQ|205
HOOD|Robinhood Markets Inc|NASDAQ|26
UBER|Uber Technologies Inc|NYSE|78
LYFT|Lyft Inc|NASDAQ|13.5
ABNB|Airbnb Inc|NASDAQ|134
SHOP|Shopify Inc|NYSE|80
SPOT|Spotify Technology SA|NYSE|380
PLTR|Palantir Technologies Inc|NYSE|43
SNOW|Snowflake Inc|NYSE|117
CRWD|CrowdStrike Holdings Inc|NASDAQ|305
PANW|Palo Alto Networks Inc|NASDAQ|370
NOW|ServiceNow Inc|NYSE|930
IBM|International Business Machines Corp|NYSE|215
CSCO|Cisco Systems Inc|NASDAQ|55
DELL|Dell Technologies Inc|NYSE|125
HPQ|HP Inc|NYSE|36
SMCI|Super Micro Computer Inc|NASDAQ|47
ARM|Arm Holdings PLC|NASDAQ|145
BABA|Alibaba Group Holding Ltd|NYSE|98
PDD|PDD Holdings Inc|NASDAQ|122
NEM|Newmont Corp|NYSE|47
FCX|Freeport-McMoRan Inc|NYSE|46
OXY|Occidental Petroleum Corp|NYSE|51
SLB|Schlumberger NV|NYSE|42
HAL|Halliburton Co|NYSE|29
NEE|NextEra Energy Inc|NYSE|80
FSLR|First Solar Inc|NASDAQ|200
ENPH|Enphase Energy Inc|NASDAQ|85
CCL|Carnival Corp|NYSE|20
RCL|Royal Caribbean Cruises Ltd|NYSE|200
MAR|Marriott International Inc|NASDAQ|260
GME|GameStop Corp|NYSE|21
AMC|AMC Entertainment Holdings Inc|NYSE|4.4
SPY|SPDR S&P 500 ETF Trust|ARCA|580
QQQ|Invesco QQQ Trust|NASDAQ|490
DIA|SPDR Dow Jones Industrial Average ETF|ARCA|425
IWM|iShares Russell 2000 ETF|ARCA|220
"""


def _parse(line: str, conid: int) -> Stock:
    symbol, name, exchange, around = line.split("|")
    return Stock(conid, symbol, name, exchange, float(around))


STOCKS: Final = tuple(
    _parse(line, conid) for conid, line in enumerate(_TABLE.split("\n")[1:-1], start=_FIRST_CONID)
)
BY_SYMBOL: Final = {stock.symbol: stock for stock in STOCKS}
BY_CONID: Final = {stock.conid: stock for stock in STOCKS}
