"""A stand-in for the broker's gateway that says so in every answer.

It speaks the part of the gateway's API that we use, with the documented pacing, sessions and
oddities, so that what is tested against it is what runs in production. No account is behind it.
"""
