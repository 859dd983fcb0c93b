"""Spotswarm's benchmarks. Each benchmark also measures a named baseline in the same run.

`python -m bench.NAME` prepares its environment and prints a table, followed by one JSON object on
the last line. `cluster.py`, `host.py` and `terminal.py` contain shared code. Rule: benchmarks
report figures, and a bad figure is not a failure. Nothing here changes how the product works.
"""
