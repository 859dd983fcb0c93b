"""`spotswarm`, the operator's command line.

One module holds one subcommand: its options, the request it makes and the table it prints.

- `cluster/` asks the active leader: status, nodes, leaving, joins, explain, drain, return and
  rebalance
- `deploy/` deploys a stack with Docker
- `founding/` makes a new cluster's secrets and user data
- `progress/` judges how far a drain or a deployment is, without I/O (pure)
- `terminal/` is shared by all: tables, live displays, exit codes (`exits.py`)
- `edges/` alone touches sockets, Docker and AWS

The command line decides nothing about the swarm. Tables fit 100 columns, and `--json` prints
what the leader answered.
"""
