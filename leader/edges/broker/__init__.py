"""The token broker: the Redis server that the active leader runs, and its connections to it.

Only modules here import redis.
"""
