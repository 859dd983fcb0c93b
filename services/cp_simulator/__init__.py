"""Simulates the Interactive Brokers gateway. Every response is marked as simulated.

The simulator implements the part of the gateway's API that we use, including its documented rate
limits, sessions and quirks. Tests can therefore run the production code without a real account.
"""
