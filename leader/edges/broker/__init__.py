"""The broker: the active leader's Redis server, and the leader's connections to it.

Only modules in this package import redis.
"""
