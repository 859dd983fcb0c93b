"""Serves quotes and price history from the Interactive Brokers Client Portal gateway.

Run exactly one replica. It counts requests in memory, and the gateway's rate limits apply to all
replicas together. The service may be restarted at any time, because the gateway keeps the brokerage
session open.
"""
