"""Stores auth's state in Redis. No other package of auth talks to Redis."""
