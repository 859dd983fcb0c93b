"""Benchmarks of the product, each next to a named baseline in the same run.

`python -m bench.NAME` prepares what it needs, prints a table and, as the last line, one JSON
object. `cluster.py` prepares a loaded cluster for several of them; `host.py` and `terminal.py` are
shared. Rule: figures are shown, never asserted, and nothing here changes how the product works.
"""
