"""Access to the swarm through this manager's Docker engine: nodes, tasks, tokens and events.

Only modules in this package import aiodocker.
"""
