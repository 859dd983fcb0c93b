"""`spotswarm …`: the operator's hands and eyes.

Commands here ask the leader's admin API and print; they decide nothing about the swarm.
`edges/` alone touches sockets and AWS. Tables fit 100 columns, `--json` prints what the
leader said, and the exit code says what became of it (`exits.py`).
"""
