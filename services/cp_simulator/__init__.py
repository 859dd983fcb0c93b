"""Simulates Interactive Brokers' gateway. Every response is marked as simulated.

The simulator implements the part of the gateway's API that we use, including its documented rate
limits, sessions and quirks, so that tests run the same code as production. It does not use a real
account.
"""
