"""Serves quotes and price history from Interactive Brokers' Client Portal gateway.

Run exactly one replica: it counts requests in memory to stay below the gateway's rate limits,
which apply to all requests together. Losing the cache does no harm. The gateway, not this service,
holds the brokerage session.
"""
