"""The leader daemon: decides who belongs to the swarm.

`admission.py` decides who gets a token, and which; `reconcile.py` what becomes of nodes;
`decide.py` answers events with actions. These and `model`, `events`, `actions`, `intake`,
`caller`, `stance` are pure: no I/O, no clock, no randomness. `edges/` is all that touches
the outside; only `daemon.py` knows everybody. What an instance does for itself belongs in
`agent/`, what both say in `wire/`.
"""
