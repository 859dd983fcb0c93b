"""Benchmarks of the product. Each benchmark also measures a named baseline in the same run.

`python -m bench.NAME` prepares its environment and prints a table, followed by one JSON object on
the last line. `cluster.py` prepares a loaded cluster for several benchmarks; `host.py` and
`terminal.py` are shared. Rule: benchmarks report figures and never assert them, and nothing here
changes how the product works.
"""
