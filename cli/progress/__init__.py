"""Calculate the progress of a drain or a deployment, and find the nodes that can run a service.

Commands query the swarm and pass the results to this package, which does no I/O.
"""
