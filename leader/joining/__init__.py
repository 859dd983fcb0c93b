"""From a join request to an active node: cheap checks, identity, the grant, labels, activation.

Without I/O. What happens to a node after its activation belongs in `leaving`, `moving` or `upkeep`.
"""
