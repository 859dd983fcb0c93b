"""`spotswarm init` and `spotswarm user-data`: create a cluster's secrets and print its user data.

Each subcommand has its own module. `secrets.py` creates the secrets, and `location.py` defines the
options for their location. These modules do not contact the leader, which may not exist yet.
"""
