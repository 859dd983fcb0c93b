"""Keeps the gateway's session alive and raises an alarm when it is lost.

`decide` is pure. The service never logs in, because that takes a person, and never takes a session
over from another login of the same user. Exactly one replica runs.
"""
