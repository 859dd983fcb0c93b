"""Reports for operators: the data that `spotswarm` prints about the cluster, and plans.

This package does no I/O. Its modules read the view and the record, but never change them. New
columns and sentences for operators belong here. The tables that print them are in `cli`.
"""
