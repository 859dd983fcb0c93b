"""One term of leadership: the tasks that run while this manager is the Raft leader.

This package turns outside input into events and carries out actions. The input is agents' requests,
the queue, the operator's commands and lists of the swarm's contents. Rule: decide nothing about the
swarm here; `leader.decide` does that.
"""
