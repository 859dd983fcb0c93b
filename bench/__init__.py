"""Spotswarm's benchmarks. Each benchmark also measures a named baseline in the same run.

`python -m bench.NAME` prepares its environment and prints a table, followed by one JSON object on
the last line. `cluster.py` prepares a cluster under load for several benchmarks, which also share
`host.py` and `terminal.py`. Rule: benchmarks report figures but never fail because of them, and
nothing here changes how the product works.
"""
