"""One term of leadership: the tasks that run while this manager is the Raft leader.

Here belongs what turns the outside into events and carries out actions: requests from agents, the
queue, the operator's commands, lists of the swarm. Nothing here decides what the swarm should look
like; `leader.decide` does.
"""
