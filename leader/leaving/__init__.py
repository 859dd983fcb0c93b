"""From a notice to a removed node: what AWS and the operator announce, and each node's next step.

Pure. How the tasks of a leaving node move is decided in `leader.moving`.
"""
