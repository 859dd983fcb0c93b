"""Stores auth's state in Redis. No other package in auth accesses Redis."""
