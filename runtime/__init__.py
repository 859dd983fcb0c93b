"""Code that all our processes share, such as backoff, errors, logs and systemd support.

Rule: code that calls Docker, AWS or Redis belongs in a daemon's `edges` package, not here. Import
modules individually, so that the agent does not load a web server.
"""
