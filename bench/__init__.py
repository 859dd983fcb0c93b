"""Measurements on the lab's machines, each beside a named baseline in the same run.

A bench sets itself up, prints a table and, last, one line of JSON. Rule: figures are shown,
never asserted; and nothing here may change how the product works.
"""
