"""What our web services share: the aiohttp application, settings, errors as answers, shutdown.

Daemons never import this package: the agent must not load a web server.
"""
