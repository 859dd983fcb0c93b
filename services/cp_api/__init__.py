"""Quotes and history from Interactive Brokers' Client Portal gateway, within its pacing.

Exactly one replica runs: the pacing limits all requests to the gateway together, and is counted in
memory. The cache may be lost at any time; the session is the gateway's, not this service's.
"""
