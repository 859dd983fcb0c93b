"""From a notice to a removed node: which nodes leave or return, and each one's next step.

Without I/O. `steps.next_step` is the state machine: decisions take the action of a step, reports
take its stage and words. How the tasks of a leaving node move is decided in `leader.moving`.
"""
