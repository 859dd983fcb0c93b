"""Work out how far a drain or a deployment has got, and on which nodes a service can run.

Pure: commands query the swarm and pass in the results. Nothing here prints or does I/O.
"""
