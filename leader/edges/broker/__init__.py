"""The broker: the active leader's Redis server and the leader's connections to this server.

Only modules here import redis.
"""
