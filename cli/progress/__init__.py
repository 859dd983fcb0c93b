"""Calculate the progress of a drain or a deployment, and find the nodes that can run a service.

Commands query the swarm and pass in the results. Nothing here prints or does I/O.
"""
