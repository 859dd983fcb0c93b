"""The only command-line modules that access the leader's socket, Docker or secret stores."""
