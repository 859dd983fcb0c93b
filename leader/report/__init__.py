"""Reports for operators: the cluster data and the plans that `spotswarm` prints.

This package does no I/O. Its modules read the view and the record, but never change them. New
columns and sentences for operators belong here. The code that prints them is in `cli`.
"""
