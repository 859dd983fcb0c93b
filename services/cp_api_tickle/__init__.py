"""Keeps the gateway's session alive and raises an alarm when the session is lost.

The module `decide` does no I/O. The service never logs in, because only a person can log in. It
never takes over a session that another login of the same user has opened. Run exactly one replica.
"""
