"""A stand-in for the broker's gateway that says so in every answer. Never in front of a real account."""
