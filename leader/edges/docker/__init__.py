"""The swarm, through this manager's own Docker engine: nodes, services, tasks, tokens, events.

Only modules here import aiodocker.
"""
