"""What keeps the cluster in order without being asked: clean-up, token rotation, heartbeat.

Pure. Capacity will live here too.
"""
