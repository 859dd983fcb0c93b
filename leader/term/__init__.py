"""One term of leadership: the tasks that run while this manager is the Raft leader.

This package turns outside input into events and carries out actions. The input consists of agents'
messages, notices from the queue, the operator's commands, and lists of the swarm's nodes, services
and tasks. Rule: make no decisions about the swarm here; `leader.decide` makes them.
"""
