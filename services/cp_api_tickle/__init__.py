"""Keeps the gateway's session alive and raises an alarm when the session is lost.

The service never logs in, because only a person can log in. If the same user opens a session
elsewhere, the service does not take over that session. Run exactly one replica.
"""
