"""The operator's command-line program, `spotswarm`.

Each subcommand has its own module with its options, its requests and its output.

- `cluster/` sends requests to the active leader: status, nodes, leaving, joins, explain, drain,
  return and rebalance
- `deploy/` deploys a stack with Docker
- `founding/` creates the secrets and user data for a new cluster
- `progress/` calculates the progress of a drain or a deployment, without I/O
- `terminal/` contains shared code: tables, live displays and exit codes (`exits.py`)
- `edges/` contains all code that uses sockets, Docker or AWS

The program makes no decisions about the swarm. Tables are at most 100 columns wide, and `--json`
prints the leader's response.
"""
