"""The command line's only code with I/O: the leader's socket, Docker and secret stores."""
