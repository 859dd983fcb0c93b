"""Keeps the gateway's session alive, and says when it is lost.

It decides in `decide`, which is pure; it never logs in, for that takes a person, and it never
takes the session from somebody who has it elsewhere. Exactly one runs.
"""
