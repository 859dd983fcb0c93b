"""What our web services share: the aiohttp application, settings, error answers, shutdown.

Agent and leader never import this package: the agent must not load a web server.
"""
