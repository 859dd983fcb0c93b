"""`spotswarm init` and `spotswarm user-data`: the secrets of a new cluster, and its user data.

Each subcommand has a module; `secrets.py` creates what they print, `location.py` is their option
for where the secrets are. Nothing here asks the leader, which does not exist yet.
"""
