"""A stand-in for Interactive Brokers' gateway. Every answer says that it is simulated.

It implements the part of the gateway's API that we use, with the documented pacing, sessions and
oddities, so that tests run the same code as production. There is no account behind it.
"""
