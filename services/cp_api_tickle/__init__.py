"""Keeps the gateway's session alive and raises an alarm when the session is lost.

`decide` is pure. The service never logs in, because only a person can log in. It never takes over
a session from another login of the same user. Run exactly one replica.
"""
