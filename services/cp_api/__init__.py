"""Serves quotes and price history from Interactive Brokers' Client Portal gateway.

Run exactly one replica. It counts requests in memory, and the gateway's rate limits apply to the
requests of all replicas together. The service may be restarted at any time, because the gateway
holds the brokerage session.
"""
