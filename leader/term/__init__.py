"""One term of leadership: the tasks that run while this manager is the Raft leader.

Everything that takes events in or carries actions out belongs here: what agents push, what the
queue holds, what the operator asks, and what the edges are called for. Nothing here decides what
the swarm should look like; `leader.decide` does.
"""
