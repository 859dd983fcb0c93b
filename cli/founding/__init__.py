"""`spotswarm init` and `spotswarm user-data`: create a cluster's secrets and print its user data.

Each subcommand has its own module. `secrets.py` creates the secrets, and `location.py` has the
options for their location. Nothing here contacts the leader, which does not exist yet.
"""
