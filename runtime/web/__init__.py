"""Code that our web services share: the aiohttp application, settings, errors and shutdown.

Rule: never import this package in the agent or the leader; the agent must not load a web server.
"""
