"""From a join request to an active node: cheap checks, identity, the grant, labels, activation.

Pure. What a node does after it was activated does not belong here.
"""
