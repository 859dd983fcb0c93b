"""Judges what was seen of the swarm: how far a drain or a deployment is, where a service may run.

Pure: the commands look, and pass in what they saw and when. Nothing here prints or does I/O.
"""
