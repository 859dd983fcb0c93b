"""What keeps the cluster in order without anybody asking: clean-up, token rotation, heartbeat.

Without I/O. Capacity will live here too. Nodes that leave in order are `leader.leaving`.
"""
