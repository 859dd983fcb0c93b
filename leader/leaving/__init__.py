"""Decides which nodes leave or return, and what each of these nodes does next.

This package does no I/O. `steps.next_step` is the state machine. Decisions use a step's action,
and reports use its stage and text. `leader.moving` decides how the tasks on a leaving node move.
"""
