"""Code that our web services share: the aiohttp application, settings, errors and shutdown.

Rule: neither the agent nor the leader may import this package.
"""
