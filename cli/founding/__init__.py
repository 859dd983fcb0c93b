"""`spotswarm init` and `spotswarm user-data`: a new cluster's secrets and its user data."""
